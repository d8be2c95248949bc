"""Audits the dependencies with pip-audit, and believes it only when it proves that it asked.

pip-audit with an unreachable service says "No known vulnerabilities found" and exits 0. So: a package that is known
to be bad must come back as bad, and every requirement must be in the answer without a reason to skip it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.domain.documents import read_json
from gatewright.domain.errors import WorldFailed
from gatewright.domain.project import DependenciesSection
from gatewright.effects.commands import Captured, run_captured
from gatewright.effects.processes import interpreter_first
from gatewright.ports import CheckResult, Context, Finding

NAME = "pip-audit"
# Vulnerable since 2018 (PYSEC-2018-66, PYSEC-2019-179): a service that does not know it knows nothing.
KNOWN_BAD = ("flask", "0.5")
_PINNED = ("--no-deps", "--disable-pip")
_INSTALL = "pip install 'gatewright[checks]'"
_LONGEST_LIST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`requirements`: the file to audit. `command`: another pip-audit than this interpreter's."""

    requirements: str = "requirements.txt"
    command: tuple[str, ...] | None = None
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """One package of an answer: `skipped` says why it was not looked up."""

    version: str | None
    skipped: str | None
    vulnerabilities: Sequence[Mapping[str, Any]]


class _Unproven(Exception):
    """The auditor did not prove that it audited."""


class PipAuditCheck:
    """Every dependency, looked up by pip-audit."""

    def __init__(self, options: Options | DependenciesSection, context: Context) -> None:
        if isinstance(options, DependenciesSection):
            options = Options(requirements=options.requirements)
        self._options = options
        self._command = tuple(options.command or (sys.executable, "-m", "pip_audit"))

    def run(self, root: Path) -> CheckResult:
        """Audit the requirements file; UnusableInput when the file is missing or lies outside of `root`."""
        deadline = time.monotonic() + self._options.timeout_s
        try:
            return self._run(root, deadline)
        except _Unproven as why:
            summary = str(why)
        except ModuleNotFoundError as error:
            summary = f"{error.name} is not installed: {_INSTALL}"
        except WorldFailed as error:
            summary = error.what
        return CheckResult(check=NAME, status="unavailable", summary=summary)

    def _run(self, root: Path, deadline: float) -> CheckResult:
        from gatewright.adapters.checks.requirements import read_requirements

        name = self._options.requirements
        wanted = read_requirements(root, name)
        if wanted.unreadable:
            raise _Unproven(f"cannot be audited: {_listed(wanted.unreadable)}")
        if not wanted.packages:
            raise _Unproven(f"{name} names no package for this platform: there is nothing to audit")
        self._prove_service(deadline)
        mode = _PINNED if wanted.pinned else ()
        answer = self._ask(root / name, deadline, mode)
        _prove_complete(wanted.packages, answer)
        return _judge(answer)

    def _prove_service(self, deadline: float) -> None:
        """_Unproven unless the known-bad package comes back as bad."""
        package, version = KNOWN_BAD
        with tempfile.TemporaryDirectory(prefix="gatewright-probe-") as folder:
            probe = Path(folder) / "requirements.txt"
            probe.write_text(f"{package}=={version}\n", encoding="utf-8")
            found = self._ask(probe, deadline, _PINNED).get(package)
        if found is None or not found.vulnerabilities:
            reason = found.skipped if found and found.skipped else "it comes back without a vulnerability"
            raise _Unproven(
                f"the service does not know a known-bad package ({package} {version}: {reason}); "
                "its silence about yours would mean nothing"
            )

    def _ask(self, file: Path, deadline: float, mode: Sequence[str]) -> dict[str, _Package]:
        answer = run_captured(
            [*self._command, "-f", "json", "--progress-spinner", "off", *mode, "-r", str(file)],
            cwd=file.parent,
            env=interpreter_first(),
            timeout_s=max(0.1, deadline - time.monotonic()),
        )
        if answer.timed_out:
            raise _Unproven(f"pip-audit did not end within {self._options.timeout_s:g} s")
        if answer.code not in (0, 1):
            raise _Unproven(f"pip-audit ended with exit code {answer.code}: {_last_words(answer)}")
        try:
            packages = _packages(read_json(answer.out))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _Unproven(
                f"pip-audit's answer cannot be read (exit code {answer.code}, {type(error).__name__}: {error}): "
                f"{_last_words(answer)}"
            ) from None
        if answer.code == 1 and not any(package.vulnerabilities for package in packages.values()):
            raise _Unproven(f"pip-audit ended with 1 but names no vulnerability: {_last_words(answer)}")
        return packages


def _packages(body: Mapping[str, Any]) -> dict[str, _Package]:
    from packaging.utils import canonicalize_name

    found: dict[str, _Package] = {}
    for entry in body["dependencies"]:
        skipped = entry.get("skip_reason")
        name = canonicalize_name(entry["name"])
        if name in found:
            raise ValueError(f"{name} stands twice")
        found[name] = _Package(
            version=entry.get("version"),
            skipped=str(skipped) if skipped is not None else None,
            vulnerabilities=() if skipped is not None else tuple(entry["vulns"]),
        )
    return found


def _prove_complete(wanted: Mapping[str, str | None], answer: Mapping[str, _Package]) -> None:
    """_Unproven unless each wanted package, at its pinned version, was really looked up, and so was all else."""
    problems = [f"{name} ({package.skipped})" for name, package in answer.items() if package.skipped is not None]
    for name, pin in wanted.items():
        package = answer.get(name)
        if package is None:
            problems.append(f"{name} (not in the answer)")
        elif package.skipped is None and pin is not None and not _same_version(package.version, pin):
            problems.append(f"{name} (asked for {pin}, answered about {package.version})")
    if problems:
        raise _Unproven(f"not audited: {_listed(problems)}")


def _same_version(answered: str | None, pinned: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return answered is not None and Version(answered).public == Version(pinned).public
    except InvalidVersion:
        return answered == pinned


def _judge(answer: Mapping[str, _Package]) -> CheckResult:
    findings = [_finding(name, package, entry) for name, package in answer.items() for entry in package.vulnerabilities]
    details = {"packages": len(answer), "vulnerabilities": len(findings), "probe": "==".join(KNOWN_BAD)}
    audited = "1 package" if len(answer) == 1 else f"{len(answer)} packages"
    if findings:
        count = "1 known vulnerability" if len(findings) == 1 else f"{len(findings)} known vulnerabilities"
        return CheckResult(
            check=NAME, status="failed", summary=f"{count} in {audited}", findings=findings, details=details
        )
    return CheckResult(check=NAME, status="passed", summary=f"{audited}, no known vulnerability", details=details)


def _finding(name: str, package: _Package, entry: Mapping[str, Any]) -> Finding:
    fixed = ", ".join(str(version) for version in entry.get("fix_versions") or ())
    aliases = ", ".join(str(alias) for alias in entry.get("aliases") or ())
    what = f"fixed in {fixed}" if fixed else "no release fixes it"
    return Finding(
        where=f"{name} {package.version}",
        rule=str(entry.get("id", "unnamed")),
        what=f"{what} ({aliases})" if aliases else what,
    )


def _listed(items: Sequence[str]) -> str:
    shown = "; ".join(items[:_LONGEST_LIST])
    return shown if len(items) <= _LONGEST_LIST else f"{shown}; and {len(items) - _LONGEST_LIST} more"


def _last_words(answer: Captured) -> str:
    said = (answer.err.strip() or answer.out.strip()).decode(errors="replace").splitlines()
    if not said:
        return "it said nothing"
    hint = f"; {_INSTALL}" if "No module named" in said[-1] else ""
    return said[-1][:300] + hint
