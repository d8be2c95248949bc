"""`gatewright` as a shell sees it: words in, exit code and both outputs out; no process is started."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatewright.cli.main import main

CONFIG = """\
model: toy
data: {train: toy-train, evaluation: toy-eval}
train: {command: [python, training/train.py, --output-dir, "{output.dir}"]}
evaluation: {label: y}
gates: {mode: point, slices: none, fairness: none}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Shell = Callable[..., Told]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    for name in ("GATEWRIGHT_RUN", "GATEWRIGHT_ACTOR", "GATEWRIGHT_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["gatewright", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Told(code=code if isinstance(code, int) else 0, out=said.out, err=said.err)

    return call


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def workspace(empty: Path) -> Path:
    """A folder with a configuration and nothing else, which is the current one."""
    (empty / "gatewright.yaml").write_text(CONFIG, encoding="utf-8")
    return empty
