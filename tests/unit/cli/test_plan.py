"""`gatewright plan` and `run` on the census years after a promotion: what starts, what does not, and why, on screen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from gatewright.cli.data import data
from tests.fixtures.promoted import promote
from tests.fixtures.repository import commit_all
from tests.unit.cli.conftest import Shell
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.cli.test_data_changes import EXAMPLE

COPIED = (
    "gatewright.yaml", "requirements.txt", "training/train.py", "training/recipes.py", "training/recipe.json",
    "data/schema.yaml", "data/acs/2015.parquet", "data/acs/eval-2017.parquet",
)  # fmt: skip


def add(root: Path, name: str, uri: str, *words: str, day: str = "2016-12-31") -> str:
    arguments = ["add", name, uri, "--label", "employed", "--data-to", day, *words, "--output", "json", "-C", str(root)]
    result = CliRunner().invoke(data, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return str(json.loads(result.output)["version"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's repository after its first deployment, on 2015."""
    root = tmp_path_factory.mktemp("acs")
    for name in COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(EXAMPLE / name, root / name)
    config = root / "gatewright.yaml"
    audit = "dependencies: {requirements: requirements.txt, on_unavailable: warn}"
    assert audit in config.read_text()
    config.write_text(config.read_text().replace(audit, "dependencies: none"))
    add(root, "acs-train", "data/acs", "--file", "2015.parquet", day="2015-12-31")
    add(root, "acs-eval", "data/acs/eval-2017.parquet", "--role", "eval", day="2017-12-31")
    commit_all(root)
    promote(root)
    return root


@pytest.fixture
def root(made: Path, empty: Path) -> Path:
    """A copy of it, which is the current folder."""
    return Path(shutil.copytree(made, empty, dirs_exist_ok=True))


def planned(shell: Shell) -> dict[str, object]:
    told = shell("plan", "--output", "json")
    assert told.code == 0, told.err
    found: dict[str, object] = json.loads(told.out)
    return found


def written(root: Path, name: str, frame: pl.DataFrame, **how: int) -> str:
    frame.write_parquet(root / "data" / name, **how)
    return add(root, "acs-train", f"data/{name}")


def rows(root: Path) -> pl.DataFrame:
    return pl.read_parquet(root / "data/acs/2015.parquet")


@pytest.mark.usefixtures("root")
def test_nothing_changed(shell: Shell) -> None:
    told = shell("plan")
    assert (told.code, told.out.splitlines()[0]) == (0, "nothing to do: nothing changed")
    assert shell("plan", "--exit-code").code == 7
    ran = shell("run")
    assert (ran.code, "nothing runs" in ran.out) == (0, True)
    assert json.loads(shell("run", "--output", "json").out)["changed"] is False


def test_2016_beside_2015_is_append_and_runs_everything(root: Path, shell: Shell) -> None:
    shutil.copyfile(EXAMPLE / "data/acs/2016.parquet", root / "data/acs/2016.parquet")
    version = add(root, "acs-train", "data/acs", "--file", "2015.parquet", "--file", "2016.parquet")
    commit_all(root)
    told = shell("plan")
    assert told.code == 0
    assert told.out.startswith("everything runs: data is append\n")
    assert f"acs-train 2015-12-31-8620abad → acs-train {version}" in told.out
    assert "data: the parent's files are all there, 1 new with 69,126 rows" in told.out
    assert "run  train           data changed" in told.out
    assert_snapshot("views/plan-append-markdown", shell("plan", "--output", "markdown").out)
    assert shell("plan", "--exit-code").code == 0


def test_edited_cells_are_content_and_run_everything(root: Path, shell: Shell) -> None:
    written(root, "edited.parquet", rows(root).with_columns(pl.col("AGEP").clip(0, 80)))
    told = shell("plan")
    assert told.out.startswith("everything runs: data is content\n")
    assert "rows are new or changed" in told.out


def test_a_rewrite_starts_nothing_and_is_recorded_once(root: Path, shell: Shell) -> None:
    version = written(root, "again.parquet", rows(root).reverse(), row_group_size=9000)
    commit_all(root)
    assert planned(shell)["action"] == "nothing"
    ran = shell("run")
    assert ran.code == 0
    assert "data is a rewrite: the same rows in another layout: no value differs" in ran.out
    assert f"acs-train {version}" in ran.out
    assert not (root / ".gatewright" / "runs").exists()
    records = json.loads(shell("records", "--output", "json").out)
    assert [record["kind"] for record in records] == ["promoted", "skipped"]
    assert "rewrite" in records[-1]["why"]
    assert shell("plan").out.startswith("nothing to do: nothing changed")
    shell("run")
    assert len(json.loads(shell("records", "--output", "json").out)) == 2
    assert shell("records", "verify").code == 0


def test_a_dropped_column_is_blocked_until_it_is_followed_or_accepted(root: Path, shell: Shell) -> None:
    written(root, "less.parquet", rows(root).drop("SCHL"))
    for words in (("plan",), ("run",), ("validate",), ("run", "--bootstrap-by", "ada")):
        told = shell(*words)
        assert told.code == (2 if "--bootstrap-by" in words else 1), words
        assert "SCHL (int16) was dropped" in told.err or "deployed already" in told.err
    assert not (root / ".gatewright" / "runs").exists()
    schema = root / "data" / "schema.yaml"
    schema.write_text("\n".join(line for line in schema.read_text().splitlines() if "SCHL" not in line) + "\n")
    assert shell("plan").code == 1
    (root / "training" / "recipe.json").write_text('{"recipe": "boosting"}\n')
    followed = planned(shell)
    assert followed["action"] == "everything"


def test_somebody_accepts_a_dropped_column(root: Path, shell: Shell) -> None:
    written(root, "less.parquet", rows(root).drop("SCHL"))
    assert shell("run", "--accept-schema-change").code == 2
    assert shell("run", "--by", "ada").code == 2
    told = shell("validate", "--accept-schema-change", "--by", "ada")
    assert (told.code, "SCHL: missing" in told.err) == (1, True)
    records = json.loads(shell("records", "--output", "json").out)
    assert [(record["kind"], record["actor"]) for record in records[1:]] == [
        ("schema_accepted", "ada"), ("stopped", "gatewright"),
    ]  # fmt: skip
    lock = json.loads(next((root / ".gatewright/runs").glob("*/lock.json")).read_text())
    assert lock["reasons"][-1] == "schema change accepted by ada"


@pytest.mark.usefixtures("root")
def test_there_may_be_nothing_to_accept(shell: Shell) -> None:
    told = shell("run", "--accept-schema-change", "--by", "ada")
    assert (told.code, "no schema change to accept" in told.err) == (2, True)


def test_other_labels_train_and_other_evaluation_rows_do_not(root: Path, shell: Shell) -> None:
    flipped = pl.when(pl.col("RAC1P") == 6).then(1 - pl.col("employed")).otherwise("employed").cast(pl.Int8)
    pl.read_parquet(root / "data/acs/eval-2017.parquet").with_columns(employed=flipped).write_parquet(
        root / "data/e.parquet"
    )
    add(root, "acs-eval", "data/e.parquet", "--role", "eval", day="2018-01-01")
    told = shell("plan")
    assert told.out.startswith("evaluate, without training: evaluation data is evaluation\n")
    assert "labels of an evaluation set: only employed differs, in " in told.out
    assert "skip  train           version 1 stands in" in told.out
    written(root, "flipped.parquet", rows(root).with_columns(employed=flipped))
    told = shell("plan")
    assert told.out.startswith("everything runs: data is labels; evaluation data is evaluation\n")


def test_a_commit_of_nothing_but_data_and_aliases_is_no_change_of_code(root: Path, shell: Shell) -> None:
    shell("data", "alias", "acs-train", "2015", "production")
    commit_all(root)
    assert planned(shell)["action"] == "nothing"


@pytest.mark.parametrize(
    ("name", "text", "action", "what"),
    [
        ("training/train.py", "\n", "everything", "code"),
        ("training/new.py", "x = 1\n", "everything", "code"),
        ("requirements.txt", "numpy\n", "everything", "code"),
        ("README.md", "words\n", "everything", "code"),
        ("data/schema.yaml", "  more: {type: int, nullable: true}\n", "everything", "schema file"),
        ("gatewright.yaml", "notes: 1\n", None, ""),
    ],
)
def test_files(root: Path, shell: Shell, name: str, text: str, action: str | None, what: str) -> None:
    with (root / name).open("a") as file:
        if name == "data/schema.yaml":
            content = (root / name).read_text()
            (root / name).write_text(content.replace("rows: {min", text + "rows: {min"))
        else:
            file.write(text)
    told = shell("plan", "--output", "json")
    if action is None:
        assert told.code == 2
        return
    found = json.loads(told.out)
    assert (found["action"], [change["what"] for change in found["plan"]["changes"]]) == (action, [what])


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        ("margin: 0.02", "margin: 0.03", "evaluate"),
        ("hold: 30m", "hold: 31m", "evaluate"),
        ("timeout: 10m", "timeout: 11m", "everything"),
        ("# The pipeline", "# A pipeline", "nothing"),
    ],
)
def test_sections_of_the_configuration(root: Path, shell: Shell, before: str, after: str, action: str) -> None:
    path = root / "gatewright.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert planned(shell)["action"] == action


def test_the_version_of_the_last_run_may_be_gone(root: Path, shell: Shell) -> None:
    written(root, "edited.parquet", rows(root).with_columns(pl.col("AGEP").clip(0, 80)))
    next((root / "data/versions/acs-train").glob("2015*")).unlink()
    told = shell("plan")
    assert "the version of the last promoted run is not here to compare with" in told.out


def test_the_comment_of_a_pull_request_shows_data_plan_and_what_validate_found(root: Path, shell: Shell) -> None:
    before, old = rows(root), add(root, "acs-train", "data/acs", "--file", "2015.parquet")
    new = written(root, "more.parquet", pl.concat([before, before.head(500)]))
    page = shell("ci", "report", "--dry-run").out
    assert page.startswith("# ⏳ employment: no run\n\nNo run was opened for this commit.\n")
    assert "## Data: acs-train is append" in page
    assert f"| version | {old} | {new} |" in page
    assert "## Plan: ▶️ Everything runs" in page
    assert "Compared with record 1, promoted, run 20260101-000000-aaaa." in page
    (root / "training" / "train.py").write_text("import os  # @acme/team\n", encoding="utf-8")
    assert shell("validate").code == 1
    document = json.loads(shell("ci", "report", "--dry-run", "--output", "json").out)
    page = document["markdown"]
    assert (document["model"], document["state"]) == ("employment", "stopped")
    assert page.startswith("# ❌ employment: stopped at validate\n\n1 of its checks did not pass.")
    assert "- **ruff** failed: " in page
    assert "F401" in page
    assert page.index("## Findings of validate") < page.index("## Data: acs-train") < page.index("## Plan: ")
    assert "because data: acs-train" in page


def test_the_comment_of_a_pull_request_that_is_blocked_says_why(root: Path, shell: Shell) -> None:
    written(root, "fewer.parquet", rows(root).drop("SCHL"))
    assert shell("validate").code == 1
    page = shell("ci", "report", "--dry-run").out
    assert page.startswith("# ❌ employment: blocked\n\nNo run was opened: the data breaks who reads it.\n")
    assert "## Plan: ❌ Blocked" in page
    assert "SCHL" in page
