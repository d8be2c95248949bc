"""Dependencies looked up by `uv audit`, which reads a lock: one is made from the pinned requirements.

It is experimental in uv, and tells only how many packages it has audited: that many must be ours.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.adapters.checks.auditing import DependencyAudit, Package, Unproven
from gatewright.adapters.checks.pip_audit import last_words, today_of
from gatewright.domain.documents import read_json
from gatewright.domain.project import DependenciesSection
from gatewright.effects.commands import run_captured
from gatewright.effects.processes import interpreter_first
from gatewright.ports import CheckResult, Context

NAME = "uv-audit"
_INSTALL = "pip install uv"
_PREVIEW = "audit-command,json-output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As `checks.dependencies` says it; nothing of its own."""


class UvAuditCheck:
    """Every dependency, looked up by uv."""

    def __init__(self, options: DependenciesSection, context: Context) -> None:
        beside = Path(sys.executable).with_name("uv")
        program = str(beside) if beside.is_file() else shutil.which("uv") or "uv"
        auditor = UvAuditor((program,), options.service)
        self._audit = DependencyAudit(auditor=auditor, policy=options, today=today_of(context), install=_INSTALL)

    def run(self, root: Path) -> CheckResult:
        """Audit the requirements file; UnusableInput when the file is missing or lies outside of `root`."""
        return self._audit.run(root)


class UvAuditor:
    """uv as an auditor; `service` is the address of an OSV service, by default it asks its own."""

    name = NAME

    def __init__(self, command: Sequence[str], service: str | None) -> None:
        self._command = command
        self._service = ("--service-url", f"{service.rstrip('/')}/") if service else ()

    def ask(self, file: Path, *, pinned: bool, left_s: float) -> dict[str, Package]:
        """Its answer about pinned requirements; Unproven for others, which it would have to resolve."""
        from gatewright.adapters.checks.requirements import read_requirements

        if not pinned:
            raise Unproven(f"{file.name} does not pin every package to one version: uv audits what is locked")
        wanted = {name: version or "" for name, version in read_requirements(file.parent, file.name).packages.items()}
        with tempfile.TemporaryDirectory(prefix="gatewright-audit-") as folder:
            for name, lines in (("pyproject.toml", _project(wanted)), ("uv.lock", _lock(wanted))):
                Path(folder, name).write_text("\n".join(lines) + "\n", encoding="utf-8")
            words = ["audit", "--frozen", "--no-config", "--preview-features", _PREVIEW, "--output-format", "json"]
            answer = run_captured(
                [*self._command, *words, *self._service], cwd=Path(folder), env=_surroundings(), timeout_s=left_s
            )
        if answer.timed_out:
            raise Unproven("uv audit did not end in time")
        if answer.code not in (0, 1):
            raise Unproven(f"uv audit ended with exit code {answer.code}: {last_words(answer)}")
        try:
            return _packages(read_json(answer.out), wanted, vulnerable=answer.code == 1)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise Unproven(f"uv's answer cannot be read (exit code {answer.code}, {reason})") from None


def _packages(body: Mapping[str, Any], wanted: Mapping[str, str], *, vulnerable: bool) -> dict[str, Package]:
    from packaging.utils import canonicalize_name

    audited = body["summary"]["audited_packages"]
    if audited != len(wanted):
        raise Unproven(f"not audited: uv looked up {audited} of {len(wanted)} packages")
    told: dict[str, list[Mapping[str, Any]]] = {name: [] for name in wanted}
    for entry in body["vulnerabilities"]:
        name = canonicalize_name(entry["dependency"]["name"])
        if name not in wanted or entry["dependency"]["version"] != wanted[name]:
            raise ValueError(f"{name} {entry['dependency']['version']} was not asked for")
        told[name].append({**entry, "id": entry["id"]})
    if vulnerable != any(told.values()):
        raise Unproven(f"uv ended with {int(vulnerable)} and names {sum(map(len, told.values()))} vulnerabilities")
    return {
        name: Package(version=version, skipped=None, vulnerabilities=tuple(told[name]))
        for name, version in wanted.items()
    }


def _project(wanted: Mapping[str, str]) -> Iterator[str]:
    yield from ("[project]", 'name = "gatewright-audited"', 'version = "0"', f'requires-python = ">={_python()}"')
    yield from ("dependencies = [", *(f'    "{name}=={version}",' for name, version in wanted.items()), "]")


def _lock(wanted: Mapping[str, str]) -> Iterator[str]:
    """The lock that uv itself would write, without archives: an audit reads names and versions only."""
    yield from ("version = 1", "revision = 3", f'requires-python = ">={_python()}"', "")
    yield from ("[[package]]", 'name = "gatewright-audited"', 'version = "0"', 'source = { virtual = "." }')
    yield from ("dependencies = [", *(f'    {{ name = "{name}" }},' for name in wanted), "]", "")
    specified = (f'    {{ name = "{name}", specifier = "=={version}" }},' for name, version in wanted.items())
    yield from ("[package.metadata]", "requires-dist = [", *specified, "]", "")
    for name, version in wanted.items():
        yield from ("[[package]]", f'name = "{name}"', f'version = "{version}"')
        yield from ('source = { registry = "https://pypi.org/simple" }', "")


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _surroundings() -> dict[str, str]:
    """One retry instead of three: an audit has a minute for all."""
    return interpreter_first({"UV_HTTP_RETRIES": "1"})
