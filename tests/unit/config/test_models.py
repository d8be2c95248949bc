"""Several models in one gatewright.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.config.project import read_configuration, read_project
from gatewright.domain.errors import ConfigError, UnusableInput
from tests.unit.config.installed import Installed

TWO = """\
checks: none
evaluation: {label: employed, slices: [SEX]}
fairness: {attributes: [SEX]}
models:
  employment:
    data: {train: a, evaluation: b}
    train: {command: [python, t.py]}
    gates: {mode: point}
  income:
    data: {train: c, evaluation: d}
    train: {command: [python, t.py]}
    gates: {mode: point, overall: {min: 0.8}}
    evaluation: {label: income, slices: [RAC1P]}
    serving: {kind: envoy, port: 8081}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "gatewright.yaml"
    path.write_text(text)
    return path


def told(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_configuration(written(folder, text), Installed())
    return [f"{problem.where.line}:{problem.where.column} {problem.field}" for problem in caught.value.problems]


def test_sections_above_models_are_shared_and_a_model_replaces_them_whole(tmp_path: Path) -> None:
    configuration = read_configuration(written(tmp_path, TWO), Installed())
    employment, income = configuration.projects["employment"], configuration.projects["income"]
    assert (employment.model, income.model) == ("employment", "income")
    assert (employment.evaluation.label, income.evaluation.label) == ("employed", "income")
    assert employment.fairness == income.fairness
    assert income.gates is not None
    assert income.gates.overall is not None
    assert income.gates.overall.min == 0.8


def test_a_change_of_one_model_leaves_the_digest_of_the_other(tmp_path: Path) -> None:
    before = read_configuration(written(tmp_path, TWO), Installed()).digests
    after = read_configuration(written(tmp_path, TWO.replace("0.8", "0.9")), Installed()).digests
    assert before["employment"] == after["employment"]
    assert before["income"] != after["income"]


def test_one_of_several_must_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, TWO)
    assert read_project(path, Installed(), "income")[0].model == "income"
    with pytest.raises(UnusableInput, match="2 models: employment, income"):
        read_project(path, Installed())
    with pytest.raises(UnusableInput, match="no model 'incom'"):
        read_project(path, Installed(), "incom")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("a, evaluation: b", "a, evaluatoin: b"), "6:22 models.employment.data"),
        (("min: 0.8", "min: 80"), "12:41 models.income.gates.overall.min"),
        (("slices: [SEX]}", "slices: [SEX], idd: x}"), "2:46 evaluation"),
        (("port: 8081", "port: 8080"), "14:34 models.income.serving.port"),
        (("  income:\n", "  Income:\n"), "9:3 models.Income"),
        (("checks: none\n", "model: x\nchecks: none\n"), "1:1 model"),
        (("checks: none\n", "data: {train: a, evaluation: b}\n"), "1:1 data"),
    ],
)
def test_problems_have_the_path_and_the_place_of_the_file(tmp_path: Path, change: tuple[str, str], place: str) -> None:
    assert place in told(tmp_path, TWO.replace(*change))


@pytest.mark.parametrize(
    "models", ["models: {}", "models: none", "models: [a]", "models: {a: 1}", "models: {a: {model: b}}"]
)
def test_models_that_are_none(tmp_path: Path, models: str) -> None:
    assert told(tmp_path, models + "\n")


def test_a_problem_of_a_shared_section_is_told_once(tmp_path: Path) -> None:
    assert told(tmp_path, TWO.replace("[SEX]}\nf", "[SEX, SEX]}\nf")) == ["2:45 evaluation.slices[1]"]
