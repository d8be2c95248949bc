"""RuffCheck: the real ruff on small folders, and fakes for what the real one does not do on demand."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gatewright.adapters.checks.ruff import Options, RuffCheck
from gatewright.domain.errors import UnusableInput
from gatewright.ports import CheckResult, Context


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n", encoding="utf-8")
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "train.py").write_text("print('fit')\n", encoding="utf-8")
    return tmp_path


def check(root: Path, *paths: str, command: tuple[str, ...] | None = None) -> CheckResult:
    context = cast("Context", SimpleNamespace(root=root))
    return RuffCheck(Options(paths=paths or ("training",), command=command), context).run(root)


def test_clean(root: Path) -> None:
    result = check(root)
    assert (result.status, result.summary) == ("passed", "1 file, no lint error")


def test_findings_have_place_and_rule(root: Path) -> None:
    (root / "training" / "bad.py").write_text("import os\n", encoding="utf-8")
    (root / "training" / "worse.py").write_text("def f(:\n", encoding="utf-8")
    result = check(root)
    assert result.status == "failed"
    assert result.summary.endswith("lint errors in 3 files")
    assert ("training/bad.py:1:8", "F401") in {(finding.where, finding.rule) for finding in result.findings}
    assert any(finding.rule == "invalid-syntax" for finding in result.findings)


def test_one_file_can_be_named(root: Path) -> None:
    assert check(root, "training/train.py").status == "passed"


def test_a_missing_path_is_unavailable(root: Path) -> None:
    result = check(root, "training", "gone")
    assert result.status == "unavailable"
    assert result.summary.startswith("gone: no such file")


def test_a_path_without_code_is_unavailable(root: Path) -> None:
    """ruff itself would say "All checks passed" and exit 0."""
    (root / "empty").mkdir()
    assert "no Python file in empty" in check(root, "training", "empty").summary
    (root / "pyproject.toml").write_text("[tool.ruff]\nexclude = ['*.py']\n", encoding="utf-8")
    assert "no Python file in training" in check(root).summary


def test_a_broken_configuration_is_unavailable(root: Path) -> None:
    (root / "pyproject.toml").write_text("[tool.ruff]\nno-such-setting = 1\n", encoding="utf-8")
    result = check(root)
    assert result.status == "unavailable"
    assert "exit code 2" in result.summary


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        ("", 0, "cannot be read"),
        ("[{}]", 1, "cannot be read"),
        ("{}", 1, "named 0 findings"),
        ("null", 0, "cannot be read"),
        ("[]", 1, "ended with 1 but named 0 findings"),
        ("[]", 2, "exit code 2"),
        ('[{"cell": ', 1, "cannot be read"),
    ],
)
def test_a_ruff_that_makes_no_sense_is_unavailable(root: Path, answer: str, code: int, reason: str) -> None:
    fake = root / "fake.py"
    fake.write_text(
        "import sys\nif '--show-files' in sys.argv: print('train.py'); sys.exit(0)\n"
        f"print({answer!r}); sys.exit({code})\n",
        encoding="utf-8",
    )
    result = check(root, command=(sys.executable, "-IS", str(fake)))
    assert result.status == "unavailable"
    assert reason in result.summary


def test_a_missing_ruff_is_unavailable(root: Path) -> None:
    for command in (("no-such-ruff",), (sys.executable, "-IS", "-m", "ruff")):
        result = check(root, command=command)
        assert result.status == "unavailable"
        assert "pip install 'gatewright[checks]'" in result.summary


def test_a_path_out_of_the_workspace_is_an_error(root: Path) -> None:
    with pytest.raises(UnusableInput):
        check(root, "../elsewhere")


def test_a_path_that_looks_like_an_option_is_a_path(root: Path) -> None:
    (root / "--fix").mkdir()
    assert "no Python file in --fix" in check(root, "--fix").summary
