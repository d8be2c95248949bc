"""Lints the training code with ruff, and makes sure that there was code to lint."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.domain.errors import WorldFailed
from gatewright.effects.commands import Captured, run_captured
from gatewright.effects.files import safe_join
from gatewright.effects.processes import interpreter_first
from gatewright.ports import CheckResult, Context, Finding

NAME = "ruff"
TIMEOUT_S = 60.0
_INSTALL = "pip install 'gatewright[checks]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`paths`: folders and files below the workspace. `command`: another ruff than this interpreter's."""

    paths: tuple[str, ...] = ("training",)
    command: tuple[str, ...] | None = None


class RuffCheck:
    """`ruff check` with the team's own configuration."""

    def __init__(self, options: Options, context: Context) -> None:
        self._paths = tuple(options.paths)
        self._command = getattr(options, "command", None) or (sys.executable, "-m", "ruff")

    def run(self, root: Path) -> CheckResult:
        """Lint the configured paths; UnusableInput for a path that leads out of `root`."""
        missing = [path for path in self._paths if not safe_join(root, path).exists()]
        if missing:
            return _unavailable(f"{', '.join(missing)}: no such file or folder; see checks.lint.paths")
        try:
            files = self._files(root)
            if isinstance(files, CheckResult):
                return files
            answer = self._ask(root, "--output-format", "json", "--no-cache", "--", *self._paths)
        except WorldFailed as error:
            return _unavailable(f"{error.what}: {_INSTALL}")
        return _judge(answer, root, files)

    def _ask(self, root: Path, *arguments: str) -> Captured:
        return run_captured(
            [*self._command, "check", *arguments], cwd=root, env=interpreter_first(), timeout_s=TIMEOUT_S
        )

    def _files(self, root: Path) -> int | CheckResult:
        """How many files ruff looks at; a path in which it finds none (all excluded, say) would pass in silence."""
        count = 0
        for path in self._paths:
            answer = self._ask(root, "--show-files", "--", path)
            if answer.timed_out or answer.code != 0:
                return _unavailable(_reason(answer))
            found = len(answer.out.split(b"\n")) - 1
            if found == 0:
                return _unavailable(f"ruff finds no Python file in {path}: is it excluded, or not the right path?")
            count += found
        return count


def _judge(answer: Captured, root: Path, files: int) -> CheckResult:
    if answer.timed_out or answer.code not in (0, 1):
        return _unavailable(_reason(answer))
    try:
        findings = [_finding(entry, root) for entry in json.loads(answer.out)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return _unavailable(f"ruff's answer cannot be read ({type(error).__name__}: {error})")
    if bool(findings) != (answer.code == 1):
        return _unavailable(f"ruff ended with {answer.code} but named {len(findings)} findings")
    details = {"files": files, "findings": len(findings)}
    looked = "1 file" if files == 1 else f"{files} files"
    if findings:
        errors = "1 lint error" if len(findings) == 1 else f"{len(findings)} lint errors"
        return CheckResult(
            check=NAME, status="failed", summary=f"{errors} in {looked}", findings=findings, details=details
        )
    return CheckResult(check=NAME, status="passed", summary=f"{looked}, no lint error", details=details)


def _finding(entry: Mapping[str, Any], root: Path) -> Finding:
    path = Path(entry["filename"])
    shown = path.relative_to(root.resolve()) if path.is_relative_to(root.resolve()) else path
    spot = entry["location"]
    return Finding(
        where=f"{shown}:{spot['row']}:{spot['column']}",
        rule=entry["code"] or "invalid-syntax",
        what=str(entry["message"]),
    )


def _reason(answer: Captured) -> str:
    if answer.timed_out:
        return f"ruff did not end within {TIMEOUT_S:g} s"
    said = (answer.err or answer.out).decode(errors="replace").strip().splitlines()
    reason = said[-1] if said else "it said nothing"
    hint = f"; {_INSTALL}" if "No module named" in reason else ""
    return f"ruff ended with exit code {answer.code}: {reason}{hint}"


def _unavailable(why: str) -> CheckResult:
    return CheckResult(check=NAME, status="unavailable", summary=why)
