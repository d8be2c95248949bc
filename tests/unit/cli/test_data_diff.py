"""`gatewright data diff` and `alias` on the census years, without the bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatewright.cli.data import data
from tests.unit.cli.conftest import Shell
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.cli.test_data_changes import EXAMPLE


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2015, and 2015 with 2016, as pointer files alone."""
    root = tmp_path_factory.mktemp("made")
    (root / "data" / "acs").mkdir(parents=True)
    shutil.copyfile(EXAMPLE / "data/schema.yaml", root / "data/schema.yaml")
    for year in ("2015", "2016"):
        shutil.copyfile(EXAMPLE / f"data/acs/{year}.parquet", root / f"data/acs/{year}.parquet")
        words = ["add", "acs", "data/acs", "--label", "employed", "--data-to", f"{year}-12-31", "-C", str(root)]
        assert CliRunner().invoke(data, words, catch_exceptions=False).exit_code == 0
    shutil.rmtree(root / "data" / "acs")
    return root


@pytest.fixture
def root(made: Path, empty: Path) -> Path:
    """A copy of it, which is the current folder."""
    return Path(shutil.copytree(made, empty, dirs_exist_ok=True))


def test_text_and_markdown(root: Path, shell: Shell) -> None:
    told = shell("data", "diff", "acs@2015", "acs@2016")
    assert told.code == 0, told.err
    assert_snapshot("views/data-diff-text", told.out)
    pointer = next((root / "data/versions/acs").glob("2016*"))
    assert_snapshot("views/data-diff-markdown", shell("data", "diff", str(pointer), "--output", "markdown").out)


@pytest.mark.usefixtures("root")
def test_numbers(shell: Shell) -> None:
    found = json.loads(shell("data", "diff", "acs@2015", "acs", "--output", "json").out)
    assert (found["before"]["rows"], found["now"]["rows"]) == (68_785, 137_911)
    assert (found["change"]["kind"], found["change"]["rows_added"]) == ("append", 69_126)
    columns = {column["name"]: column for column in found["columns"]}
    assert len(columns) == 19
    assert 0 < columns["SCHL"]["moved"]["value"] < 0.01
    assert columns["year"]["moved"]["value"] > 0.25
    assert {group["column"] for group in found["groups"]} >= {"SEX", "RAC1P"}
    back = json.loads(shell("data", "diff", "acs@2016", "acs@2015", "--output", "json").out)
    assert back["change"]["kind"] == "content"
    assert "how many rows were added and removed" in back["untold"][0]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("acs@2015",), "has no parent"),
        (("other",), "there is no data set 'other'"),
        (("acs@2020", "acs"), "has no version '2020'"),
        (("data/versions/acs/2020.yaml", "acs"), "there is no data version"),
        (("acs@20", "acs"), "can mean 2 versions"),
    ],
)
def test_what_is_not_there(shell: Shell, words: tuple[str, ...], says: str) -> None:
    told = shell("data", "diff", *words)
    assert (told.code, says in told.err) == (2, True), told.err


class TestAlias:
    def test_it_stands_for_a_version_until_it_is_moved(self, root: Path, shell: Shell) -> None:
        assert "no aliases yet" in shell("data", "alias").out
        assert "acs @production is 2015-12-31-8620abad" in shell("data", "alias", "acs", "2015", "production").out
        assert "acs 2015-12-31-8620abad" in shell("data", "show", "acs", "@production").out
        assert shell("data", "diff", "acs@production", "acs").code == 0
        shell("data", "alias", "acs", "2016", "production")
        shell("data", "alias", "acs", "@production", "old")
        listed = json.loads(shell("data", "alias", "acs", "--output", "json").out)
        assert listed == {"acs": dict.fromkeys(("old", "production"), "2016-12-31-3c8bb6b6")}
        assert "@production" in shell("data", "alias").out
        shell("data", "alias", "acs", "--remove", "old")
        shell("data", "alias", "acs", "--remove", "production")
        assert "no aliases yet" in shell("data", "alias").out
        assert (root / "data/aliases.yaml").is_file()

    @pytest.mark.usefixtures("root")
    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("data", "show", "acs", "@production"), "acs has no alias 'production'"),
            (("data", "alias", "acs", "2015"), "an alias needs a name"),
            (("data", "alias", "acs", "2015", "No Alias"), "is no alias"),
            (("data", "alias", "acs", "2019", "x"), "has no version '2019'"),
            (("data", "alias", "--remove", "x"), "--remove takes one alias of NAME"),
            (("data", "alias", "acs", "--remove", "x"), "has no alias 'x'"),
        ],
    )
    def test_what_it_cannot_mean(self, shell: Shell, words: tuple[str, ...], says: str) -> None:
        told = shell(*words)
        assert (told.code, says in told.err) == (2, True), told.err

    @pytest.mark.parametrize("text", ["acs: [a]\n", "acs: {production: 7}\n", "acs: {a: b, a: c}\n", "[]\n"])
    def test_a_damaged_file(self, root: Path, shell: Shell, text: str) -> None:
        (root / "data/aliases.yaml").write_text(text)
        told = shell("data", "show", "acs", "@production")
        assert (told.code, "data/aliases.yaml" in told.err) == (2, True), told.err
