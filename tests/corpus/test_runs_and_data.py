"""Data and hand-offs: every row of their lists, through `data add`, `data verify`, `validate` and `gate --run`."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from gatewright.cli.data import data
from gatewright.cli.validate import validate
from gatewright.store.runs import Runs
from tests.corpus import data_rows, handoff_rows
from tests.corpus.data_rows import BadData
from tests.corpus.handoff_rows import BadHandoff
from tests.corpus.rows import assert_complete, assert_told, each
from tests.fixtures.toy import SCHEMA, people
from tests.unit.cli.conftest import Shell

CONFIG = """\
model: toy
data: {train: people, evaluation: people-eval}
checks: none
train: {command: [python, training/train.py, "{output.dir}"]}
evaluation: {label: employed}
gates: {mode: point, slices: none, fairness: none}
"""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with good data, and an open run that has been validated and goes on to its gate."""
    root = tmp_path_factory.mktemp("corpus") / "project"
    (root / "data").mkdir(parents=True)
    (root / "gatewright.yaml").write_text(CONFIG, encoding="utf-8")
    (root / "data" / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    _add(root, "people", people(100), "train")
    _add(root, "people-eval", people(100, offset=1000), "eval")
    assert CliRunner().invoke(validate, ["--bootstrap-by", "ada", "-C", str(root)]).exit_code == 0
    (run,) = Runs(root / ".gatewright" / "runs").open()
    handoff_rows.write_handoffs(run)
    return root


def _add(root: Path, name: str, rows: pl.DataFrame, role: str) -> None:
    rows.write_parquet(root / "data" / f"{name}.parquet")
    arguments = (name, f"data/{name}.parquet", "--role", role, "--label", "employed", "-C", str(root))
    assert CliRunner().invoke(data, ["add", *arguments, "--data-to", "2026-01-01"]).exit_code == 0


@pytest.fixture
def project(finished: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the current folder."""
    root = Path(shutil.copytree(finished, empty / "project"))
    monkeypatch.chdir(root)
    return root


def test_the_lists_are_complete() -> None:
    assert_complete(data_rows.ROWS, data_rows.LISTED)
    assert_complete(handoff_rows.ROWS, handoff_rows.LISTED)


@pytest.mark.parametrize("row", each(data_rows.ROWS))
def test_data(row: BadData, shell: Shell, project: Path) -> None:
    (project / "data" / row.file).write_bytes(row.data)
    told = shell("data", "add", "people", f"data/{row.file}", "--label", "employed")
    if row.at == "validate":
        assert told.code == 0, told
        told = shell("validate", "--bootstrap-by", "ada")
    if row.name == "reordered column":  # columns are known by name everywhere: the same data
        assert told.code == 0, told
    else:
        assert_told(told, row.says, code=data_rows.CODES[row.at])


@pytest.mark.parametrize(("text", "says"), [pytest.param(*row[1:], id=row[0]) for row in data_rows.BAD_SCHEMAS])
def test_schema_file(text: str, says: str, shell: Shell, project: Path) -> None:
    (project / "data" / "new.parquet").write_bytes(data_rows.WHOLE)
    (project / "data" / "schema.yaml").write_text(text, encoding="utf-8")
    assert_told(shell("data", "add", "people", "data/new.parquet"), f"data/schema.yaml{says}")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("size:", "siz:", "unknown word 'siz': did you mean 'size'?"),
        ("role: eval", "role: eval\nrole: train", "the key 'role' stands twice"),
        ("immutable: false", "immutable: no", "source.immutable: 'no' is not true or false"),
        ("path: people-eval", "path: ../people-eval", "'../people-eval.parquet' is not a plain path below the source"),
        ("level: bytes", "level: bytes, x: &a 1", "the anchor &a is not allowed"),
    ],
)
def test_pointer_file(old: str, new: str, says: str, shell: Shell, project: Path) -> None:
    (path,) = (project / "data" / "versions" / "people-eval").iterdir()
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    told = shell("data", "verify")
    assert_told(told, says)
    assert f"data/versions/people-eval/{path.name}:" in told.err


def test_changed_bytes(shell: Shell, project: Path) -> None:
    with (project / "data" / "people-eval.parquet").open("r+b") as file:
        file.write(b"X")
    told = shell("data", "verify")
    assert told.code == 2
    assert ": people-eval.parquet: recorded " in told.err
    assert "   do: restore the recorded bytes" in told.err


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("../../etc", "'../../etc' leads out of"),
        ("/etc/passwd", "'/etc/passwd' leads out of"),
        ("link", "'link' leads out of"),
        ("file:///etc/passwd", "data may not come from file://"),
        ("http://169.254.169.254/x.csv", "169.254.169.254 is a link-local address"),
        ("-x", "has no option '-x'"),
        ("data/gone.csv", "there is nothing at this path"),
    ],
)
def test_where_data_is(uri: str, says: str, shell: Shell, project: Path) -> None:
    (project / "link").symlink_to("/etc")
    assert_told(shell("data", "add", "people", uri), says)


def test_what_the_rows_damage_is_read(shell: Shell, project: Path) -> None:
    assert_told(shell("gate"), "predictions.parquet is missing")


@pytest.mark.parametrize("row", each(handoff_rows.ROWS))
def test_handoff(row: BadHandoff, shell: Shell, project: Path) -> None:
    (run,) = Runs(project / ".gatewright" / "runs").open()
    row.damage(run)
    assert_told(shell("gate", "--run", run.id), row.says)
