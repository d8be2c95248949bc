from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.config.project import read_project
from gatewright.domain.adoption import LabelFacts
from gatewright.domain.project import Project
from gatewright.rules.adoption.config_text import config_text, scalar
from gatewright.rules.adoption.example import example_files, example_proposal
from gatewright.rules.adoption.proposal import Proposal
from gatewright.rules.adoption.snippet import signature_lines
from gatewright.workspace import Plugins

FULL = Proposal(
    model="shop",
    target="gitlab",
    branch="trunk",
    command=("python", "train.py", "--data", "{data.path}", "--note", "it's: #1", "{output.dir}"),
    format="onnx",
    lint=("train.py",),
    requirements="requirements/run.txt",
    install=(("pip", "install", "-r", "requirements/run.txt"), ("pip", "install", "gatewright[checks]==1")),
    label="yes",
    facts=LabelFacts(task="multiclass", classes=(0, 1, 2), floor=0.4),
    id="on",
    slices=("sex", "a b"),
    attributes=("sex",),
)


def read(proposal: Proposal, folder: Path) -> Project:
    (folder / "gatewright.yaml").write_text(config_text(proposal))
    return read_project(folder / "gatewright.yaml", Plugins())[0]


def test_every_answer_arrives_in_the_project(tmp_path: Path) -> None:
    project = read(FULL, tmp_path)
    assert project.train.command == FULL.command
    assert (project.train.format, project.evaluation.label, project.evaluation.id) == ("onnx", "yes", "on")
    assert [part.columns for part in project.evaluation.slices] == [("sex",), ("a b",)]
    assert (project.fairness.attributes, project.fairness.positive) == (("sex",), 2)
    assert project.checks.lint is not None
    assert project.checks.lint.paths == ("train.py",)
    assert project.checks.dependencies is not None
    assert project.checks.dependencies.requirements == "requirements/run.txt"
    assert project.gates is not None
    assert project.gates.overall is not None
    assert project.gates.overall.min == 0.41
    assert (project.ci.branch, project.ci.paths) == ("trunk", ("train.py", "data/versions/**"))
    assert project.ci.install == FULL.install


@pytest.mark.parametrize(
    "proposal",
    [
        Proposal(model="empty"),
        Proposal(model="house", label="price", facts=LabelFacts(task="regression", floor=12.0)),
        example_proposal("shop", "github", "main", "1.0"),
    ],
    ids=["empty", "regression", "example"],
)
def test_it_is_valid_also_where_something_is_missing(proposal: Proposal, tmp_path: Path) -> None:
    project = read(proposal, tmp_path)
    assert project.model == proposal.model
    assert ("MISSING" in config_text(proposal)) == (proposal.train_file is None)


@pytest.mark.parametrize(
    ("text", "written"), [("sex", "sex"), ("no", '"no"'), ("a: b", '"a: b"'), ("--data", "--data"), ("1", '"1"')]
)
def test_texts_that_yaml_would_misread_are_quoted(text: str, written: str) -> None:
    assert scalar(text) == written


def test_the_example_is_the_same_on_every_machine() -> None:
    files = example_files()
    assert files == example_files()
    lines = files["data/customers-eval.csv"].decode().splitlines()
    assert (len(lines), lines[1]) == (2001, "3000,39,2,4,26,4,80,1")
    compile(files["training/train.py"], "train.py", "exec")


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_lines_for_the_signature_write_one_that_is_read(task: str, tmp_path: Path) -> None:
    from gatewright.serving.signature import parse_signature

    class Medians:
        def items(self) -> list[tuple[str, float]]:
            return [("age", 40.0), ("sex", 1.0)]

    class Features:
        columns = ("age", "sex")

        def median(self) -> Medians:
            return Medians()

    facts = LabelFacts(task=task, classes=(0, 1) if task == "binary" else (), floor=0.5)  # type: ignore[arg-type]
    lines = signature_lines(Proposal(model="shop", label='so "called"', facts=facts))
    exec(lines, {"features": Features(), "output_dir": tmp_path})
    found = parse_signature((tmp_path / "signature.json").read_bytes(), "signature.json")
    assert (found.task, found.names, found.output.name) == (task, ("age", "sex"), 'so "called"')
