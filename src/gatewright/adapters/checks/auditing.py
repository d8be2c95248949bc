"""What every auditor of dependencies has to prove before it is believed, and what its findings mean.

An auditor that cannot reach its service may say that nothing is vulnerable. So: packages that are known to be bad must
come back as bad, every requirement must be in the answer without a reason to skip it, and anything else is "could not
audit", which is no pass.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from gatewright.adapters.checks.severities import severity_of
from gatewright.domain.errors import WorldFailed
from gatewright.domain.project import DependenciesSection
from gatewright.ports import CheckResult, Finding
from gatewright.rules.vulnerabilities import Vulnerability, judge

# Vulnerable since 2018 and 2019 (PYSEC-2018-66, PYSEC-2019-217): a service that does not know them knows nothing.
KNOWN_BAD = (("flask", "0.5"), ("jinja2", "2.4.1"))
_LONGEST_LIST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of an answer: `skipped` says why it was not looked up."""

    version: str | None
    skipped: str | None
    vulnerabilities: Sequence[Mapping[str, Any]]


class Unproven(Exception):
    """The auditor did not prove that it audited."""


class Auditor(Protocol):
    """A tool that looks packages up."""

    name: str

    def ask(self, file: Path, *, pinned: bool, left_s: float) -> dict[str, Package]:
        """The answer about a requirements file, by normalised name; Unproven when there is none to be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyAudit:
    """A requirements file, looked up by an auditor and judged by the policy of the project."""

    auditor: Auditor
    policy: DependenciesSection
    today: Callable[[], date]
    install: str
    timeout_s: float = 60.0

    def run(self, root: Path) -> CheckResult:
        """Audit the requirements file; UnusableInput when the file is missing or lies outside of `root`."""
        deadline = time.monotonic() + self.timeout_s
        try:
            return self._run(root, deadline)
        except Unproven as why:
            summary = str(why)
        except ModuleNotFoundError as error:
            summary = f"{error.name} is not installed: {self.install}"
        except WorldFailed as error:
            summary = error.what
        return CheckResult(check=self.auditor.name, status="unavailable", summary=summary)

    def _run(self, root: Path, deadline: float) -> CheckResult:
        from gatewright.adapters.checks.requirements import read_requirements

        name = self.policy.requirements
        wanted = read_requirements(root, name)
        if wanted.unreadable:
            raise Unproven(f"cannot be audited: {listed(wanted.unreadable)}")
        if not wanted.packages:
            raise Unproven(f"{name} names no package for this platform: there is nothing to audit")
        self._prove_service(deadline)
        answer = self.auditor.ask(root / name, pinned=wanted.pinned, left_s=_left(deadline))
        _prove_complete(wanted.packages, answer)
        return self._judged(answer, deadline)

    def _prove_service(self, deadline: float) -> None:
        """Unproven unless each known-bad package comes back as bad."""
        with tempfile.TemporaryDirectory(prefix="gatewright-probe-") as folder:
            probe = Path(folder) / "requirements.txt"
            probe.write_text("".join(f"{name}=={version}\n" for name, version in KNOWN_BAD), encoding="utf-8")
            answer = self.auditor.ask(probe, pinned=True, left_s=_left(deadline))
        for package, version in KNOWN_BAD:
            found = answer.get(package)
            if found is None or not found.vulnerabilities:
                reason = found.skipped if found and found.skipped else "it comes back without a vulnerability"
                raise Unproven(
                    f"the service does not know a known-bad package ({package} {version}: {reason}); "
                    "its silence about yours would mean nothing"
                )

    def _judged(self, answer: Mapping[str, Package], deadline: float) -> CheckResult:
        found = [_told(name, package, entry) for name, package in answer.items() for entry in package.vulnerabilities]
        if self.policy.fail_on not in ("any", "fixable"):
            found = [severity_of(each, self.policy.service, left_s=_left(deadline)) for each in found]
        judged = judge(found, fail_on=self.policy.fail_on, allow=self.policy.allow, today=self.today())
        audited = "1 package" if len(answer) == 1 else f"{len(answer)} packages"
        details = {
            "packages": len(answer),
            "vulnerabilities": len(found),
            "let_through": judged.let_through,
            "allowances_of_nothing": judged.unused,
            "fail_on": self.policy.fail_on,
            "probe": [f"{name}=={version}" for name, version in KNOWN_BAD],
            "database_age": "not told by this service",
        }
        findings = [Finding(where=each.where, rule=each.id, what=what) for each, what in judged.failing]
        more = f", {len(judged.let_through)} let through" if judged.let_through else ""
        if findings:
            count = "1 known vulnerability" if len(findings) == 1 else f"{len(findings)} known vulnerabilities"
            summary, status = f"{count} in {audited}{more}", "failed"
        else:
            summary, status = f"{audited}, no known vulnerability{more}", "passed"
        return CheckResult(
            check=self.auditor.name,
            status="failed" if status == "failed" else "passed",
            summary=summary,
            findings=findings,
            details=details,
        )


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())


def _prove_complete(wanted: Mapping[str, str | None], answer: Mapping[str, Package]) -> None:
    """Unproven unless each wanted package, at its pinned version, was really looked up, and so was all else."""
    problems = [f"{name} ({package.skipped})" for name, package in answer.items() if package.skipped is not None]
    for name, pin in wanted.items():
        package = answer.get(name)
        if package is None:
            problems.append(f"{name} (not in the answer)")
        elif package.skipped is None and pin is not None and not _same_version(package.version, pin):
            problems.append(f"{name} (asked for {pin}, answered about {package.version})")
    if problems:
        raise Unproven(f"not audited: {listed(problems)}")


def _same_version(answered: str | None, pinned: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return answered is not None and Version(answered).public == Version(pinned).public
    except InvalidVersion:
        return answered == pinned


def _told(name: str, package: Package, entry: Mapping[str, Any]) -> Vulnerability:
    return Vulnerability(
        where=f"{name} {package.version}",
        id=str(entry.get("id", "unnamed")),
        aliases=tuple(str(alias) for alias in entry.get("aliases") or ()),
        fixed=tuple(str(version) for version in entry.get("fix_versions") or ()),
    )


def listed(items: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    shown = "; ".join(items[:_LONGEST_LIST])
    return shown if len(items) <= _LONGEST_LIST else f"{shown}; and {len(items) - _LONGEST_LIST} more"
