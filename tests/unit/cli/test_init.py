"""`gatewright init` in scratch repositories."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import polars as pl
import pytest

from gatewright.config.project import read_project
from gatewright.effects import files
from gatewright.workspace import Plugins
from tests.fixtures.scratch import git, onnx_repository, shoppers, sklearn_repository
from tests.unit.cli.conftest import Shell


def everything(root: Path) -> dict[str, bytes]:
    """Every file below `root` with its bytes, git's own and the state left out."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".git", ".gatewright"} & set(path.relative_to(root).parts)
    }


def missing(document: dict[str, Any]) -> str:
    return "\n".join(gap["what"] for gap in document["missing"])


def test_an_empty_folder_gets_a_valid_skeleton_that_says_what_is_missing(shell: Shell, empty: Path) -> None:
    told = shell("init", "--yes")
    assert told.code == 0
    assert set(everything(empty)) == {"gatewright.yaml", ".gitignore"}
    for word in ("no training script", "no data: a run needs", "git init", "MISSING"):
        assert word in told.out + (empty / "gatewright.yaml").read_text()
    assert shell("config", "check").code == 0
    run = shell("run", "--bootstrap-by", "ada")
    assert run.code == 2
    assert "there is no data set" in run.err


def test_the_example_passes_its_own_checks(shell: Shell, empty: Path) -> None:
    assert shell("init", "--example", "--yes", "--name", "customers").code == 0
    assert shell("config", "check").code == 0
    for name in ("customers-train", "customers-eval"):
        assert shell("data", "validate", name).code == 0
    assert (empty / "training" / "train.py").is_file()


def test_one_data_file_is_split_without_a_row_on_both_sides(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    told = shell("init", "--yes")
    assert told.code == 0, told.err
    train, evaluation = (pl.read_csv(empty / "data" / f"shop-{part}.csv") for part in ("train", "eval"))
    whole = pl.read_csv(empty / "data" / "shop.csv")
    assert train.columns == whole.columns
    assert evaluation.columns == [*whole.columns, "id"]
    assert evaluation["id"].n_unique() == evaluation.height
    assert pl.concat([train, evaluation.drop("id")]).sort(whole.columns).equals(whole.sort(whole.columns))
    assert train.join(evaluation, on=whole.columns, how="semi").is_empty()
    assert evaluation.height == pytest.approx(200, abs=2)
    for words in (
        "split ?",
        "? is a guess that nobody confirmed",
        "by the hash of each row, seed 0, 20% of each bought",
        "saves a pickle",
        "writes no signature.json",
    ):
        assert words in told.out


def test_what_is_written_is_what_ci_generate_and_config_check_expect(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    assert shell("init", "--yes", "--name", "shop").code == 0
    assert shell("config", "check").code == 0
    assert shell("ci", "generate", "--target", "github", "--check").code == 0
    assert shell("data", "validate", "shop-train").code == shell("data", "validate", "shop-eval").code == 0
    project, _ = read_project(empty / "gatewright.yaml", Plugins())
    assert project.train.command[1:] == ("train.py", "--data", "{data.path}", "--output-dir", "{output.dir}")
    assert (project.evaluation.label, project.fairness.attributes) == ("bought", ("sex",))
    assert git(empty, "status", "--short", "train.py", "data/shop.csv", ".github/workflows/test.yml") == ""


def test_a_pair_keeps_its_parts_and_the_teams_pipeline_stays(shell: Shell, empty: Path) -> None:
    onnx_repository(empty)
    told = shell("init", "--yes", "--name", "shop")
    assert told.code == 0, told.err
    assert "include:" in told.out
    assert (empty / ".gitlab-ci.yml").read_text() == "unit:\n  script: [make test]\n"
    assert (empty / ".gitlab" / "gatewright.yml").is_file()
    assert not (empty / "data" / "train-train.csv").exists()
    assert shell("ci", "generate", "--target", "gitlab", "--form", "reusable", "--check").code == 0
    project, _ = read_project(empty / "gatewright.yaml", Plugins())
    assert project.train.format == "onnx"
    assert shell("data", "validate", "shop-eval").code == 0


def test_a_second_time_nothing_is_asked_and_nothing_written(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    assert shell("init", "--yes").code == 0
    before = everything(empty)
    told = shell("init")
    assert told.code == 2
    assert "gatewright.yaml is there already" in told.err
    again = shell("init", "--yes", "--force", "--output", "json")
    assert again.code == 0
    document = json.loads(again.out)
    # Its floor is now that of the evaluation rows alone, no longer that of all rows.
    assert {each["path"] for each in document["files"] if each["state"] != "same"} <= {"gatewright.yaml"}
    assert not any(version["new"] for version in document["data_versions"])
    after = everything(empty)
    assert {name for name in after if after[name] != before.get(name)} <= {"gatewright.yaml"}


def test_every_file_that_would_be_lost_is_named_before_one_is_written(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    (empty / "data" / "schema.yaml").write_text("mine")
    (empty / ".github" / "workflows" / "gatewright.yml").write_text("mine")
    before = everything(empty)
    told = shell("init", "--yes")
    assert told.code == 2
    assert "data/schema.yaml, .github/workflows/gatewright.yml are there already" in told.err
    assert everything(empty) == before
    assert shell("init", "--yes", "--force").code == 0
    assert (empty / "data" / "schema.yaml").read_text() != "mine"


def test_a_dry_run_writes_nothing_and_shows_all(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    before = everything(empty)
    told = shell("init", "--yes", "--dry-run")
    assert told.code == 0
    assert "Would write" in told.out
    assert "label: bought" in told.out
    document = json.loads(shell("init", "--yes", "--dry-run", "--output", "json").out)
    assert document["dry_run"]
    assert {each["path"] for each in document["files"]} >= {"gatewright.yaml", "data/schema.yaml", "data/shop-eval.csv"}
    assert everything(empty) == before
    assert not (empty / ".gatewright").exists()


def test_options_are_believed_and_checked(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    (empty / "data" / "held.csv").write_text(shoppers(400, first=9000))
    words = ["--name", "shop", "--target", "none", "--label", "region"]
    words += ["--train-data", "data/shop.csv", "--eval-data", "data/held.csv"]
    words += ["--attribute", "sex", "--slice", "bought", "--requirements", "none"]
    words += ["--train-command", "python train.py --data {data.path} --output-dir '{output.dir}'"]
    assert shell("init", *words).code == 0
    project, _ = read_project(empty / "gatewright.yaml", Plugins())
    assert (project.evaluation.label, project.evaluation.slices[0].columns) == ("region", ("bought",))
    assert project.train.command[-1] == "{output.dir}"
    for wrong, told in {
        ("--label", "nowhere"): "has no column 'nowhere'",
        ("--train-data", "gone.csv"): "gone.csv does not exist",
        ("--train-data", "../x.csv"): "leads out of",
        ("--attribute", "nobody"): "has no column 'nobody'",
        ("--slice", "nobody"): "has no column 'nobody'",
        ("--id", "nobody"): "has no column 'nobody'",
        ("--name", "My Shop"): "'My Shop' is no name for a model",
        ("--train-command", "python 'train.py"): "No closing quotation",
        ("--train-command", " "): "has no word in it",
        ("--split", "0.2", "--eval-data", "data/held.csv"): "leave one out",
    }.items():
        failed = shell("init", "--yes", "--force", *wrong)
        assert failed.code == 2
        assert told in failed.err


def test_a_label_of_text_is_told_and_not_forgotten(shell: Shell, empty: Path) -> None:
    rows = pl.read_csv(shoppers(300).encode()).with_columns(kind=pl.lit("a") + pl.col("region").cast(pl.String))
    rows.write_parquet(empty / "shop.parquet")
    document = json.loads(shell("init", "--yes", "--label", "kind", "--output", "json").out)
    assert "kind holds text" in missing(document)
    assert "label: kind" in document["configuration"]


def test_without_a_terminal_nobody_is_asked(shell: Shell, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.cli.init.is_terminal", lambda: False)
    told = shell("init")
    assert told.code == 2
    assert "nobody can be asked for the model's name" in told.err
    assert everything(empty) == {}


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str | BaseException]:
    """Whoever sits at the terminal gives these answers, one a question; an empty one takes the default."""
    answers: list[str | BaseException] = []

    def given() -> Iterator[str]:
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            yield answer

    source = given()
    monkeypatch.setattr("gatewright.cli.init.is_terminal", lambda: True)
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _prompt="": next(source))
    return answers


def test_only_what_is_not_seen_is_asked(shell: Shell, empty: Path, terminal: list[str | BaseException]) -> None:
    sklearn_repository(empty)
    terminal += ["My-Shop".lower(), "", "sex, region"]
    told = shell("init")
    assert told.code == 0, told.err
    assert told.err.count("?  (") == 3
    assert " ?" not in told.out
    assert "The model's name?  (the name of the folder)" in told.err
    assert "The file to evaluate on, or split?  (there is one data set only" in told.err
    project, _ = read_project(empty / "gatewright.yaml", Plugins())
    assert project.model == "my-shop"
    assert project.fairness.attributes == ("sex", "region")


@pytest.mark.parametrize("after", [0, 1, 2])
def test_ctrl_c_in_a_question_leaves_nothing(
    shell: Shell, empty: Path, terminal: list[str | BaseException], after: int
) -> None:
    sklearn_repository(empty)
    before = everything(empty)
    terminal += [*[""] * after, KeyboardInterrupt()]
    assert shell("init").code == 130
    assert everything(empty) == before
    assert not (empty / ".gatewright").exists()


def test_a_folder_below_the_top_of_the_checkout(shell: Shell, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sklearn_repository(empty)
    inner = empty / "models" / "shop"
    inner.mkdir(parents=True)
    (inner / "data.csv").write_text(shoppers(300))
    monkeypatch.chdir(inner)
    assert shell("init", "--yes").code == 0
    assert (empty / ".github" / "workflows" / "gatewright.yml").is_file()
    assert (inner / "gatewright.yaml").is_file()
    assert shell("ci", "generate", "--target", "github", "--check").code == 0


def test_a_disk_that_refuses_leaves_no_configuration(
    shell: Shell, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sklearn_repository(empty)
    written: list[str] = []

    def refusing(path: Path, data: bytes) -> None:
        if len(written) == 2:
            raise OSError(28, "No space left on device", str(path))
        written.append(path.name)
        files.write_atomic(path, data)

    monkeypatch.setattr("gatewright.engine.adoption.writing.write_atomic", refusing)
    assert shell("init", "--yes").code == 4
    assert len(written) == 2
    assert not (empty / "gatewright.yaml").exists()
