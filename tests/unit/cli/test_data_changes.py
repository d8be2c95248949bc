"""`gatewright data add` on the census years: every class of change, with its reason on screen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from gatewright.cli.data import data

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "employment"
Add = Callable[..., str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data" / "acs").mkdir(parents=True)
    for year in ("2015", "2016"):
        shutil.copyfile(EXAMPLE / f"data/acs/{year}.parquet", tmp_path / f"data/acs/{year}.parquet")
    shutil.copyfile(EXAMPLE / "data/schema.yaml", tmp_path / "data/schema.yaml")
    return tmp_path


@pytest.fixture
def rows(root: Path) -> pl.DataFrame:
    return pl.read_parquet(root / "data/acs/2015.parquet")


@pytest.fixture
def add(root: Path) -> Add:
    """What `data add` says of the change, on its second line."""

    def call(uri: str, *words: str, day: str = "2016-12-31") -> str:
        arguments = ["add", "acs", uri, "--label", "employed", "--data-to", day, *words, "-C", str(root)]
        result = CliRunner().invoke(data, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output.splitlines()[1]

    return call


@pytest.fixture
def first(add: Add) -> str:
    return add("data/acs", "--file", "2015.parquet", day="2015-12-31")


def written(root: Path, name: str, frame: pl.DataFrame, **how: int) -> str:
    frame.write_parquet(root / "data" / name, **how)
    return f"data/{name}"


@pytest.mark.usefixtures("first")
class TestAgainst2015:
    def test_2016_beside_it_is_append(self, add: Add) -> None:
        said = add("data/acs")
        assert said.startswith(
            "append against 2015-12-31-8620abad: 137,911 rows, 69,126 rows added (the parent's files are all"
        )

    def test_2016_in_one_new_file_with_it_is_append(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        both = pl.concat([rows, pl.read_parquet(root / "data/acs/2016.parquet")]).sample(
            fraction=1, shuffle=True, seed=1
        )
        said = add(written(root, "both.parquet", both))
        assert "append against" in said
        assert "69,126 rows added (every row of the parent is there, 69,126 are new)" in said

    def test_edited_cells_are_content(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        edited = rows.with_columns(AGEP=pl.when(pl.col("id") % 1000 == 7).then(99).otherwise("AGEP").cast(pl.Int16))
        changed = rows.filter(edited["AGEP"] != rows["AGEP"]).height
        assert changed > 30
        said = add(written(root, "edited.parquet", edited))
        assert said.startswith("content against 2015-12-31-8620abad: 68,785 rows")
        assert f"({changed:,} rows are new or changed, {changed:,} of the parent's are gone)" in said

    def test_the_same_rows_written_again_are_a_rewrite(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        again = rows.sample(fraction=1, shuffle=True, seed=1).select(sorted(rows.columns))
        said = add(written(root, "again.parquet", again, row_group_size=5000))
        assert "rewrite against" in said
        assert "(the same rows in another layout: no value differs)" in said

    def test_written_again_in_place_it_is_still_a_rewrite(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        rows.reverse().write_parquet(root / "data/acs/2015.parquet")
        assert add("data/acs", "--file", "2015.parquet").startswith("rewrite against 2015-12-31-8620abad")

    def test_edited_in_place_the_parents_bytes_are_gone(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        rows.with_columns(pl.col("AGEP").clip(0, 80)).write_parquet(root / "data/acs/2015.parquet")
        said = add("data/acs", "--file", "2015.parquet")
        assert "content against" in said
        assert "the parent's bytes are not here, so rows added and removed could not be told" in said

    def test_other_labels_alone_are_labels(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        flipped = pl.when(pl.col("RAC1P") == 6).then(1 - pl.col("employed")).otherwise("employed").cast(pl.Int8)
        said = add(written(root, "flipped.parquet", rows.with_columns(employed=flipped)))
        assert "labels against" in said
        assert "(only employed differs, in " in said

    def test_a_dropped_column_is_breaking(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        said = add(written(root, "less.parquet", rows.drop("SCHL")))
        assert "schema-breaking against" in said
        assert "(SCHL (int16) was dropped)" in said

    def test_another_name_is_breaking_and_guessed(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        said = add(written(root, "named.parquet", rows.rename({"RAC1P": "RACE", "SEX": "GENDER"})))
        assert "RAC1P is gone and RACE is new, of the same type and alike: perhaps renamed" in said
        assert "SEX is gone and GENDER is new" in said

    def test_a_wider_type_and_a_new_column_are_compatible(self, add: Add, root: Path, rows: pl.DataFrame) -> None:
        wider = rows.with_columns(pl.col("AGEP").cast(pl.Int32), region=pl.lit(None, pl.Int8))
        said = add(written(root, "wider.parquet", wider))
        assert "schema-compatible against" in said
        assert "(AGEP was widened: int16 → int32; region (int8) was added)" in said


def test_an_evaluation_set_is_never_a_reason_to_train(add: Add, root: Path) -> None:
    add("data/acs", "--file", "2015.parquet", "--role", "eval", day="2015-12-31")
    said = add("data/acs", "--role", "eval")
    assert "evaluation against" in said
    assert "(append of an evaluation set: the parent's files are all" in said
