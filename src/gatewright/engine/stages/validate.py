"""Stage 1, validate: lint the code, audit the dependencies, prove the data's digest and check it against its schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from gatewright.domain.documents import plain
from gatewright.domain.errors import DigestChanged, StageFailed, WorldFailed
from gatewright.domain.lineage import DataVersion
from gatewright.effects.files import safe_join
from gatewright.engine.handover import Handover
from gatewright.engine.planning import schema_digest
from gatewright.ports import CheckResult, Finding, Progress
from gatewright.rules.evalset import check_weighed, design_columns
from gatewright.store.runs import VALIDATION, Handoff, RunFolder
from gatewright.workspace import Workspace

_SHOWN = 20


def validate(workspace: Workspace, run: RunFolder, progress: Progress) -> Handoff:
    """Run every check and tell all findings at once.

    StageFailed (exit 1) for findings; WorldFailed (exit 4) when a check could not run and the configuration does not
    say `on_unavailable: warn`, which then is a warning in every report.
    """
    handover = Handover(workspace, run, "validate", VALIDATION)
    lock = handover.need("lock")
    _check_schema_file(workspace, lock.body)
    results = []
    for name, role in (("train", "train"), ("evaluation", "evaluation")):
        progress.waiting(f"{lock.body[name]['name']} {lock.body[name]['version']}: digest and schema")
        version, path = handover.data(name, lock.body[name], role)
        if role == "evaluation":
            check_weighed(version, workspace.project.evaluation)
        results.append(_check_data(workspace, version, path))
    for name, check in workspace.checks.items():
        progress.waiting(f"checking {name}")
        results.append(check.run(workspace.root))
    warnings = _warnings(workspace, results)
    failed = [result for result in results if result.status == "failed"]
    unavailable = [result for result in results if result.status == "unavailable" and result.check not in warnings]
    for text in warnings.values():
        progress.warning(text)
    status = "failed" if failed else "unavailable" if unavailable else "passed"
    handoff = handover.finish(status, {"checks": plain(results), "warnings": list(warnings.values())})
    if failed:
        raise StageFailed(_told(failed), fix="mend what is named, commit, and start a new run: gatewright run")
    if unavailable:
        raise WorldFailed(
            "; ".join(f"{result.check} could not run: {result.summary}" for result in unavailable),
            fix=f"then: gatewright run --resume {run.id}; or allow it: on_unavailable: warn",
        )
    return handoff


def _check_schema_file(workspace: Workspace, lock: Mapping[str, Any]) -> None:
    """The schema file must be the one that the run was planned with."""
    locked = lock.get("schema_file")
    found = schema_digest(workspace)
    if locked is not None and locked["digest"] not in (found, "missing"):
        raise DigestChanged(f"the schema file {locked['path']}", recorded=locked["digest"], found=found)


def _check_data(workspace: Workspace, version: DataVersion, path: Path) -> CheckResult:
    from gatewright.effects.tables import reading, scan
    from gatewright.rules.data import violations
    from gatewright.store.schema_files import read_schema

    name = f"data:{version.name}"
    table = scan(path)
    label = workspace.project.evaluation.label
    schema = read_schema(safe_join(workspace.root, workspace.project.data.schema))
    parent = workspace.data_versions.get(version.name, version.parent) if version.parent else None
    with reading(path):
        own = [name for name in design_columns(version) if name in version.schema and name not in schema.columns]
        broken = violations(
            schema, table.raw.drop(own), typed=table.typed, label=label, parent_rows=parent.rows if parent else None
        )
    findings = [Finding(where=version.version, rule=found.rule, what=str(found)) for found in broken]
    status: Literal["passed", "failed"] = "failed" if findings else "passed"
    breaches = f"{len(findings)} breach{'es' if len(findings) != 1 else ''}" if findings else "no breach"
    summary = f"{version.rows:,} rows, digest proven, {breaches} of the schema"
    return CheckResult(check=name, status=status, summary=summary, findings=findings)


def _warnings(workspace: Workspace, results: list[CheckResult]) -> dict[str, str]:
    """Checks that could not run although they may be left out, each with the sentence that says so."""
    dependencies = workspace.project.checks.dependencies
    if dependencies is None or dependencies.on_unavailable == "fail":
        return {}
    return {
        result.check: f"dependencies were NOT audited: {result.summary} (allowed by on_unavailable: warn)"
        for result in results
        if result.status == "unavailable" and result.check == "pip-audit"
    }


def _told(failed: list[CheckResult]) -> str:
    lines = []
    for result in failed:
        lines.append(f"{result.check}: {result.summary}")
        lines.extend(f"  {_line(finding)}" for finding in result.findings[:_SHOWN])
        if len(result.findings) > _SHOWN:
            lines.append(f"  … and {len(result.findings) - _SHOWN} more in validation.json")
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    told = "" if finding.rule in finding.what else f"{finding.rule}: "
    return f"{finding.where}: {told}{finding.what}"
