"""`gatewright data` from a shell's point of view."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from gatewright.cli.data import data
from gatewright.domain.errors import DataError, UnusableInput

SCHEMA = "columns: {id: {type: int, unique: true}, sex: {type: int, sensitive: true}, y: {type: int}}\n"


def rows(start: int, count: int) -> pl.DataFrame:
    numbers = range(start, start + count)
    return pl.DataFrame(
        {"id": numbers, "sex": [n % 2 for n in numbers], "y": [n % 3 == 0 for n in numbers]}
    ).with_columns(pl.col("y").cast(pl.Int8))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data" / "set").mkdir(parents=True)
    for year in range(2):
        rows(100 * year, 100).write_parquet(tmp_path / "data" / "set" / f"{2015 + year}.parquet")
    rows(900, 10).write_csv(tmp_path / "data" / "eval.csv")
    (tmp_path / "data" / "schema.yaml").write_text(SCHEMA)
    return tmp_path


@pytest.fixture
def run(root: Path) -> Callable[..., Result]:
    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(data, [*arguments, "-C", str(root)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def pointers(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in (root / "data/versions").rglob("*.yaml"))


def left(root: Path) -> list[str]:
    """What a command leaves behind, but the digests it remembers."""
    return [path.name for path in (root / ".gatewright").iterdir() if path.name != "digests.json"]


def test_a_set_grows(run: Callable[..., Result], root: Path) -> None:
    first = run("add", "set", "data/set", "--file", "2015.parquet", "--label", "y", "--data-to", "2015-12-31")
    assert "first version of set as train data: 100 rows" in first.output
    second = run("add", "set", "data/set", "--label", "y", "--data-to", "2016-12-31T00:00:00+02:00")
    assert "append against 2015-12-31-" in second.output
    assert "200 rows, 100 rows added" in second.output
    assert [Path(name).stem[:10] for name in pointers(root)] == ["2015-12-31", "2016-12-30"]
    assert left(root) == []


def test_the_same_bytes_again(run: Callable[..., Result], root: Path) -> None:
    run("add", "set", "data/set", "--data-to", "2016-12-31")
    before = pointers(root)
    assert "nothing changed" in run("add", "set", "data/set").output
    assert pointers(root) == before


def test_csv_as_json(run: Callable[..., Result]) -> None:
    arguments = ("--role", "eval", "--label", "y", "--lineage", "from=queue", "--created-by", "ann", "--output", "json")
    added = json.loads(run("add", "set-eval", "data/eval.csv", *arguments).output)
    assert added["new"] is True
    assert added["change"] == {"kind": "first", "rows_added": 10, "rows_removed": 0}
    shown = json.loads(run("show", "set-eval", "--output", "json").output)
    assert shown["kind"] == "file"
    assert shown["schema"] == {"id": "int64", "sex": "int64", "y": "int64"}
    assert shown["lineage"] == {"from": "queue"}
    assert shown["created_by"] == "ann"
    assert shown["stats"]["label"] == {"column": "y", "values": {"0": 6, "1": 4}, "rate": 0.4}
    assert set(shown["stats"]["groups"]) == {"sex"}
    assert shown["stats"]["columns"]["id"] == {"nulls": 0.0}


def test_list_and_show(run: Callable[..., Result]) -> None:
    assert "no data versions yet" in run("list").output
    run("add", "set", "data/set", "--data-to", "2016-12-31", "--label", "y")
    run("add", "set-eval", "data/eval.csv", "--role", "eval", "--data-to", "2017-12-31")
    lines = run("list").output.splitlines()
    assert lines[0].split() == ["NAME", "VERSION", "ROLE", "ROWS", "DATA", "TO", "CHANGE"]
    assert [line.split()[0] for line in lines[1:]] == ["set", "set-eval"]
    assert [item["name"] for item in json.loads(run("list", "set", "--output", "json").output)] == ["set"]
    shown = run("show", "set", "2016").output
    assert "label      y (rate 0.3350)" in shown
    assert "2015.parquet" in shown


def test_verify_tells_every_difference(run: Callable[..., Result], root: Path) -> None:
    run("add", "set", "data/set", "--data-to", "2016-12-31")
    run("add", "set-eval", "data/eval.csv", "--role", "eval", "--data-to", "2017-12-31")
    assert run("verify").output.count("verified") == 2
    (root / "data/set/2015.parquet").unlink()
    with (root / "data/set/2016.parquet").open("r+b") as file:
        file.write(b"X")
    (root / "data/eval.csv").unlink()
    with pytest.raises(DataError) as caught:
        run("verify")
    assert [problem.field for problem in caught.value.problems] == ["2015.parquet", "2016.parquet", "eval.csv"]
    assert caught.value.exit_code == 2
    with pytest.raises(DataError):
        run("verify", "set-eval", "2017", "--output", "json")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("data/set", "--file", "2019.parquet"), "no data file 2019.parquet"),
        (("data/none",), "nothing at this path"),
        (("data/eval.csv", "--label", "nothing"), "no such column"),
        (("../..",), "leads out"),
        (("data/set", "--data-from", "2017-01-01", "--data-to", "2016-01-01"), "after its end"),
        (("data/set", "--schema", "none.yaml"), "does not exist"),
    ],
)
def test_bad_arguments_leave_nothing_behind(
    run: Callable[..., Result], root: Path, arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UnusableInput, match=words) as caught:
        run("add", "set", *arguments)
    assert caught.value.exit_code == 2
    assert pointers(root) == []


@pytest.mark.parametrize("option", [("--data-to", "yesterday"), ("--lineage", "x"), ("--role", "trian")])
def test_bad_options(run: Callable[..., Result], option: tuple[str, str]) -> None:
    assert run("add", "set", "data/set", *option).exit_code == 2


def test_a_broken_file_is_told_by_the_path_the_user_knows(run: Callable[..., Result], root: Path) -> None:
    (root / "data/set/2016.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(DataError) as caught:
        run("add", "set", "data/set")
    assert caught.value.problems[0].where.file == "data/set/2016.parquet"
    (root / "data/eval.csv").write_text("id,sex,y\n")
    with pytest.raises(DataError) as caught:
        run("add", "set-eval", "data/eval.csv")
    assert str(caught.value.problems[0]) == "data/eval.csv:1: there is a header, but no rows"
    assert left(root) == []


def test_one_name_can_hold_two_roles(run: Callable[..., Result]) -> None:
    run("add", "set", "data/set", "--data-to", "2016-12-31")
    run("add", "set", "data/eval.csv", "--role", "eval", "--data-to", "2017-12-31")
    assert json.loads(run("show", "set", "--output", "json").output)["role"] == "eval"
    train = json.loads(run("show", "set", "--role", "train", "--output", "json").output)
    assert train["role"] == "train"
    assert train["parent"] is None


@pytest.mark.parametrize("command", ["add", "list", "show", "verify"])
def test_help_has_examples(command: str) -> None:
    output = CliRunner().invoke(data, [command, "--help"]).output
    assert f"gatewright data {command}" in output


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, gatewright.cli.data; print(sorted({'numpy', 'polars', 'pydantic', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_verify_sees_bytes_behind_the_back_of_the_clock_only_when_it_reads(
    run: Callable[..., Result], root: Path
) -> None:
    path = root / "data/eval.csv"
    os.utime(path, (1e9, 1e9))
    run("add", "set", "data/eval.csv")
    run("verify")
    known = (root / ".gatewright/digests.json").read_text()
    assert sha256(path.read_bytes()).hexdigest() in known
    assert "verified" in run("verify").output
    (root / ".gatewright/digests.json").write_text(known.replace(sha256(path.read_bytes()).hexdigest(), "0" * 64))
    with pytest.raises(DataError):
        run("verify")
    assert "verified" in run("verify", "--no-cache").output
    assert "verified" in run("verify").output
