"""The team's own command as a check of a data set: exit code 0 passes, 1 fails, any other says nothing about the data.

It may print one JSON document, {"summary": "…", "findings": [{"rule": "…", "what": "…", "column": "…", "count": 3}]}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.domain.duration import Duration
from gatewright.domain.errors import WorldFailed
from gatewright.domain.lineage import DataVersion
from gatewright.domain.project import DataChecksSection
from gatewright.effects.commands import Captured, run_captured
from gatewright.effects.processes import interpreter_first
from gatewright.ports import CheckResult, Context, Finding

_LAST_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`command`: an argv list with {data.path}, {data.name}, {data.version} and {data.role}."""

    command: tuple[str, ...] = ()
    timeout: Duration = Duration(600.0)


class CommandCheck:
    """`checks.data.command`."""

    name = "command"

    def __init__(self, options: Options | DataChecksSection, context: Context) -> None:
        self._command = tuple(options.command or ())
        self._timeout_s = options.timeout.seconds

    def run(self, root: Path, path: Path, version: DataVersion) -> CheckResult:
        """Run the command in `root`."""
        words = {"path": str(path), "name": version.name, "version": version.version, "role": version.role}
        argv = [_filled(word, words) for word in self._command]
        return asked(f"data:{version.name}:{self.name}", argv, root, version.version, self._timeout_s)


def asked(check: str, argv: Sequence[str], root: Path, where: str, timeout_s: float) -> CheckResult:
    """What `argv`, run in `root`, says about the data version `where`."""
    try:
        answer = run_captured(argv, cwd=root, env=interpreter_first(), timeout_s=timeout_s)
    except WorldFailed as error:
        return _unavailable(check, error.what)
    if answer.timed_out:
        return _unavailable(check, f"{argv[0]} did not end within {timeout_s:g} s")
    if answer.code not in (0, 1):
        return _unavailable(check, f"{argv[0]} ended with exit code {answer.code}: {_last_line(answer)}")
    try:
        document = _document(answer.out)
        findings = [_finding(entry, where) for entry in document.get("findings", ())]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return _unavailable(check, f"the answer of {argv[0]} cannot be read ({type(error).__name__}: {error})")
    if findings and answer.code == 0:
        return _unavailable(check, f"{argv[0]} ended with 0 but named {len(findings)} findings")
    if answer.code == 0:
        return CheckResult(check=check, status="passed", summary=str(document.get("summary", "nothing found")))
    if not findings:
        lines = (answer.out if not document else b"") + answer.err
        said = [line for line in lines.decode(errors="replace").splitlines() if line.strip()][-_LAST_LINES:]
        findings = [Finding(where=where, rule="command", what=line) for line in said or ["it said nothing"]]
    summary = str(document.get("summary", f"{len(findings)} finding{'s' if len(findings) != 1 else ''}"))
    return CheckResult(check=check, status="failed", summary=summary, findings=findings)


def _filled(word: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(f"{{data.{name}}}", value)
    return word


def _document(out: bytes) -> Mapping[str, Any]:
    """The JSON object that was printed; empty when something else was."""
    text = out.strip()
    if not text.startswith(b"{"):
        return {}
    found: Mapping[str, Any] = json.loads(text)
    return found


def _finding(entry: Mapping[str, Any], where: str) -> Finding:
    column, count = entry.get("column"), entry.get("count")
    told = f"{column}: " if column else ""
    rows = f" ({int(count):,} rows)" if count is not None else ""
    return Finding(where=where, rule=str(entry["rule"]), what=f"{told}{entry['what']}{rows}")


def _last_line(answer: Captured) -> str:
    said = (answer.err.strip() or answer.out.strip()).decode(errors="replace").splitlines()
    return said[-1][:300] if said else "it said nothing"


def _unavailable(check: str, why: str) -> CheckResult:
    return CheckResult(check=check, status="unavailable", summary=why)
