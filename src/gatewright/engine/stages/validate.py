"""Stage 1, validate: lint the code, audit the dependencies, prove the data's digest and check it against its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gatewright.domain.documents import plain, pretty_json, sha256
from gatewright.domain.errors import DigestChanged, StageFailed, WorldFailed
from gatewright.domain.lineage import DataVersion
from gatewright.effects.files import safe_join, write_atomic
from gatewright.engine.attesting import FOLDER
from gatewright.engine.handover import Handover
from gatewright.engine.planning import schema_digest
from gatewright.engine.validation import cautions, drift_words, validation_document
from gatewright.ports import CheckResult, Finding, Progress
from gatewright.rules.evalset import check_weighed
from gatewright.rules.sarif import sarif_of
from gatewright.store.runs import VALIDATION, Handoff, RunFolder
from gatewright.workspace import Workspace

_SHOWN = 20
SARIF = "validation.sarif"
_AUDITS = ("pip-audit", "uv-audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """What the schema file says about one data set: the result, what to warn of, and the report in full."""

    result: CheckResult
    warnings: Sequence[str]
    report: Mapping[str, Any]


def validate(workspace: Workspace, run: RunFolder, progress: Progress) -> Handoff:
    """Run every check and tell all findings at once.

    StageFailed (exit 1) for findings; WorldFailed (exit 4) when a check could not run and the configuration does not
    say `on_unavailable: warn`, which then is a warning in every report.
    """
    handover = Handover(workspace, run, "validate", VALIDATION)
    lock = handover.need("lock")
    _check_schema_file(workspace, lock.body)
    results, told, reports = [], list[str](), dict[str, Any]()
    for name, role in (("train", "train"), ("evaluation", "evaluation")):
        progress.waiting(f"{lock.body[name]['name']} {lock.body[name]['version']}: digest and schema")
        version, path = handover.data(name, lock.body[name], role)
        if role == "evaluation":
            check_weighed(version, workspace.project.evaluation)
        checked = _check_data(workspace, handover, version, path)
        results.append(checked.result)
        told += checked.warnings
        reports[name] = checked.report
        for own in workspace.data_checks:
            progress.waiting(f"{version.name}: {own.name}")
            results.append(own.run(workspace.root, path, version))
    for name, check in workspace.checks.items():
        progress.waiting(f"checking {name}")
        results.append(check.run(workspace.root))
    warnings = _warnings(workspace, results)
    failed = [result for result in results if result.status == "failed"]
    unavailable = [result for result in results if result.status == "unavailable" and result.check not in warnings]
    told += warnings.values()
    for text in told:
        progress.warning(text)
    _write_sarif(handover, results)
    status = "failed" if failed else "unavailable" if unavailable else "passed"
    handoff = handover.finish(status, {"checks": plain(results), "warnings": told, "data": reports})
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


def _check_data(workspace: Workspace, handover: Handover, version: DataVersion, path: Path) -> _Checked:
    from gatewright.engine.validation import judge_version, reference_for
    from gatewright.store.schema_files import read_schema

    schema = read_schema(safe_join(workspace.root, workspace.project.data.schema))
    reference = reference_for(workspace.data_versions, schema, version)
    if reference is not None:
        handover.inputs[f"drift reference of {version.name}"] = reference.digest
    label = workspace.project.evaluation.label
    judged = judge_version(workspace.data_versions, schema, version, path, label=label, reference=reference)
    drift = judged.drift
    drifted = [column for column in drift.columns if column.status in ("warn", "fail")] if drift else []
    findings = [Finding(where=version.version, rule=found.rule, what=str(found)) for found in judged.violations]
    findings += [
        Finding(where=version.version, rule="drift", what=drift_words(column, drift.reference))
        for column in drifted
        if drift is not None and column.status == "fail"
    ]
    status: Literal["passed", "failed"] = "failed" if judged.status == "fail" else "passed"
    breaches = f"{len(findings)} breach{'es' if len(findings) != 1 else ''}" if findings else "no breach"
    summary = f"{version.rows:,} rows, digest proven, {breaches} of the schema"
    warnings = [f"{version.name}: {text}" for text in cautions(judged)]
    result = CheckResult(check=f"data:{version.name}", status=status, summary=summary, findings=findings)
    return _Checked(result=result, warnings=warnings, report=validation_document(judged, version))


def _write_sarif(handover: Handover, results: Sequence[CheckResult]) -> None:
    dependencies = handover.workspace.project.checks.dependencies
    document = sarif_of(plain(results), dependencies=dependencies.requirements if dependencies else None)
    content = pretty_json(document)
    write_atomic(handover.run.path / SARIF, content, called=FOLDER)
    handover.outputs["sarif"] = sha256(content)


def _warnings(workspace: Workspace, results: list[CheckResult]) -> dict[str, str]:
    """Checks that could not run although they may be left out, each with the sentence that says so."""
    dependencies = workspace.project.checks.dependencies
    if dependencies is None or dependencies.on_unavailable == "fail":
        return {}
    return {
        result.check: f"dependencies were NOT audited: {result.summary} (allowed by on_unavailable: warn)"
        for result in results
        if result.status == "unavailable" and result.check in _AUDITS
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
