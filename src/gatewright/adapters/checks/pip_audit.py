"""Dependencies looked up by pip-audit, which exits 0 and has found nothing when it cannot reach its service."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from gatewright.adapters.checks.auditing import DependencyAudit, Package, Unproven
from gatewright.domain.documents import read_json
from gatewright.domain.project import DependenciesSection
from gatewright.effects.commands import Captured, run_captured
from gatewright.effects.processes import interpreter_first
from gatewright.ports import CheckResult, Context

NAME = "pip-audit"
_PINNED = ("--no-deps", "--disable-pip")
_INSTALL = "pip install 'gatewright[checks]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`requirements`: the file to audit. `command`: another pip-audit than this interpreter's."""

    requirements: str = "requirements.txt"
    command: tuple[str, ...] | None = None
    timeout_s: float = 60.0


class PipAuditCheck:
    """Every dependency, looked up by pip-audit."""

    def __init__(self, options: Options | DependenciesSection, context: Context) -> None:
        policy, command, timeout_s = options, None, Options().timeout_s
        if isinstance(options, Options):
            policy = DependenciesSection(requirements=options.requirements)
            command, timeout_s = options.command, options.timeout_s
        assert isinstance(policy, DependenciesSection)
        auditor = PipAuditor(tuple(command or (sys.executable, "-m", "pip_audit")), policy.service, timeout_s)
        self._audit = DependencyAudit(
            auditor=auditor, policy=policy, today=today_of(context), install=_INSTALL, timeout_s=timeout_s
        )

    def run(self, root: Path) -> CheckResult:
        """Audit the requirements file; UnusableInput when the file is missing or lies outside of `root`."""
        return self._audit.run(root)


class PipAuditor:
    """pip-audit as an auditor; `service` is the address of an OSV service, by default it asks its own."""

    name = NAME

    def __init__(self, command: Sequence[str], service: str | None, timeout_s: float) -> None:
        self._command = command
        self._service = ("-s", "osv", "--osv-url", f"{service.rstrip('/')}/v1/query") if service else ()
        self._timeout_s = timeout_s

    def ask(self, file: Path, *, pinned: bool, left_s: float) -> dict[str, Package]:
        """Its answer; what is not pinned is resolved first."""
        mode = _PINNED if pinned else ()
        answer = run_captured(
            [*self._command, "-f", "json", "--progress-spinner", "off", *self._service, *mode, "-r", str(file)],
            cwd=file.parent,
            env=interpreter_first(),
            timeout_s=left_s,
        )
        if answer.timed_out:
            raise Unproven(f"pip-audit did not end within {self._timeout_s:g} s")
        if answer.code not in (0, 1):
            raise Unproven(f"pip-audit ended with exit code {answer.code}: {last_words(answer)}")
        try:
            packages = _packages(read_json(answer.out))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unproven(
                f"pip-audit's answer cannot be read (exit code {answer.code}, {type(error).__name__}: {error}): "
                f"{last_words(answer)}"
            ) from None
        if answer.code == 1 and not any(package.vulnerabilities for package in packages.values()):
            raise Unproven(f"pip-audit ended with 1 but names no vulnerability: {last_words(answer)}")
        return packages


def today_of(context: Context) -> Any:
    """The day by the clock of the workspace."""

    def today() -> date:
        now: datetime = context.clock.now()
        return now.astimezone(UTC).date()

    return today


def _packages(body: Mapping[str, Any]) -> dict[str, Package]:
    from packaging.utils import canonicalize_name

    found: dict[str, Package] = {}
    for entry in body["dependencies"]:
        skipped = entry.get("skip_reason")
        name = canonicalize_name(entry["name"])
        if name in found:
            raise ValueError(f"{name} stands twice")
        found[name] = Package(
            version=entry.get("version"),
            skipped=str(skipped) if skipped is not None else None,
            vulnerabilities=() if skipped is not None else tuple(entry["vulns"]),
        )
    return found


def last_words(answer: Captured) -> str:
    """The last line that a tool said, and what to install where it is missing."""
    said = (answer.err.strip() or answer.out.strip()).decode(errors="replace").splitlines()
    if not said:
        return "it said nothing"
    hint = f"; {_INSTALL}" if "No module named" in said[-1] else ""
    return said[-1][:300] + hint
