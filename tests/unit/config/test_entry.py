"""`train.format: entry`: what it needs, and what is told, with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.installed import read, told

START = """\
model: employment
data: {train: acs-train, evaluation: acs-eval}
train:
  command: [python, train.py, "{data.path}"]
  format: entry
  entry: training.model:load
  allow_code: true
evaluation: {label: employed, slices: [SEX]}
fairness: {attributes: [SEX]}
gates: {mode: point}
"""


def test_an_entry_is_read(tmp_path: Path) -> None:
    text = START.replace("allow_code", "entry_code: [training/model.py, features]\n  allow_code")
    section = read(tmp_path, text).train
    assert (section.format, section.entry) == ("entry", "training.model:load")
    assert section.entry_code == ("training/model.py", "features")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  entry: training.model:load\n", "", "5:11 train.format entry needs the function that loads a model: write"),
        ("  allow_code: true\n", "", "4:3 train.allow_code format: entry runs code that the model brings"),
        ("allow_code: true", "allow_code: false", "7:15 train.allow_code format: entry runs code"),
        ("format: entry", "format: onnx", "6:10 train.entry belongs to format: entry, and the format is onnx"),
        ("  format: entry\n", "", "5:10 train.entry belongs to format: entry, and the format is skops"),
        ("training.model:load", "training/model.py", "6:10 train.entry 'training/model.py' names no function"),
        ("training.model:load", "..model:load", "6:10 train.entry '..model:load' names no function"),
        ("training.model:load", "json:load", "6:10 train.entry 'json:load' lies in json, which is not the team's"),
        ("training.model:load", "gatewright.cli:x", "6:10 train.entry 'gatewright.cli:x' lies in gatewright"),
        ("training.model:load", "linked.model:load", "6:10 train.entry 'linked.model:load' leads out of the workspace"),
        ("allow_code", "entry_code: [features]\n  allow_code", "7:15 train.entry_code does not hold training.model"),
        ("allow_code", "entry_code: [training, ../x]\n  allow_code", "7:26 train.entry_code[1] '../x' leads out"),
        ("allow_code", "entry_code: [training, .x/y]\n  allow_code", "7:26 train.entry_code[1] '.x/y' is hidden"),
        ("entry: training", "entri: training", "6:3 train unknown word 'entri': did you mean 'entry'?"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "outside").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked").symlink_to(tmp_path / "outside")
    assert START.count(old) == 1
    found = told(root, START.replace(old, new))
    assert any(line.startswith(says) for line in found), found
