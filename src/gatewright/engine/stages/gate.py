"""Stage 3b, gate: the report and the configured gates give one verdict, or the run stops here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatewright.domain.documents import plain
from gatewright.domain.errors import DigestChanged, Inconclusive, StageFailed, UnusableInput
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.gate import GateName, GateResult, Judgement, Verdict
from gatewright.effects.files import digest_file
from gatewright.engine.handover import Handover
from gatewright.ports import Progress
from gatewright.rules.evalset import age, check_weighed
from gatewright.rules.gates.words import further
from gatewright.rules.judgement import judge
from gatewright.rules.measuring.cells import METRIC_VERSION
from gatewright.rules.reports.measures import notes
from gatewright.rules.reports.reading import report_from
from gatewright.store.runs import VERDICT, Handoff, RunFolder
from gatewright.workspace import Workspace

_STATUS = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "inconclusive"}


def gate(
    workspace: Workspace, run: RunFolder, progress: Progress, *, skip: frozenset[GateName] = frozenset()
) -> Handoff:
    """Write verdict.json. StageFailed when a gate fails or the evaluation set is overdue, Inconclusive without enough
    evidence; an error, never a pass, for a report of other models or rows."""
    handover = Handover(workspace, run, "gate", VERDICT)
    lock = handover.need("lock")
    handed = handover.need("evaluation-report")
    report = report_from(handed.body)
    _check_bindings(handover, lock.body, report)
    evaluation = workspace.data_versions.get(lock.body["evaluation"]["name"], lock.body["evaluation"]["version"])
    check_weighed(evaluation, workspace.project.evaluation)
    state, age_text = age(evaluation, workspace.clock.now())
    warnings = [*handed.body["warnings"], *remarks(workspace, report)]
    warnings += [age_text] if state == "ageing" else []
    if state == "overdue":
        handover.finish("failed", {"verdict": Verdict.FAIL, "results": [], "warnings": [age_text]})
        raise StageFailed(age_text, fix="make a newer evaluation set: gatewright data add … --role eval")
    judgement = judged(workspace, report, bootstrap_by=lock.body["bootstrap_by"], skip=skip)
    for text in (*judgement.warnings, *warnings):
        progress.warning(text)
    handoff = handover.finish(
        _STATUS[judgement.verdict],
        {
            "verdict": judgement.verdict,
            "artifact": report.candidate_digest,
            **plain(judgement),
            "warnings": [*judgement.warnings, *warnings],
        },
    )
    _refuse(judgement)
    return handoff


def judged(
    workspace: Workspace,
    report: EvaluationReport,
    *,
    bootstrap_by: str | None = None,
    skip: frozenset[GateName] = frozenset(),
) -> Judgement:
    """The configured gates on `report`, as of today."""
    gates = workspace.project.gates
    if gates is None:
        return Judgement(results=(), warnings=("gates: none — nothing was checked",), bootstrap_by=bootstrap_by)
    today = workspace.clock.now().date()
    return judge(gates, report, today=today, bootstrap_by=bootstrap_by, skip=skip)


def remarks(workspace: Workspace, report: EvaluationReport) -> tuple[str, ...]:
    """What a reader of the verdict should know of the report besides the numbers."""
    gates = workspace.project.gates
    return notes(report, gates.fairness.min_rows if gates and gates.fairness else 1)


def _check_bindings(handover: Handover, lock: Any, report: EvaluationReport) -> None:
    """The report must speak of this run's candidate, baseline and rows, in today's metric."""
    candidate = handover.need("candidate").body["candidate"]["artifact"]["digest"]
    baseline = lock["baseline"]["artifact"]["digest"] if lock["baseline"] else None
    for name, expected, found in (
        ("candidate", candidate, report.candidate_digest),
        ("baseline", baseline, report.baseline_digest),
        ("evaluation set", lock["evaluation"]["digest"], report.evaluation_digest),
        ("metric version", METRIC_VERSION, report.metric_version),
    ):
        if expected != found:
            raise DigestChanged(f"the {name} of the report", recorded=str(expected), found=str(found))
    predictions = handover.run.path / "predictions" / "predictions.parquet"
    recorded = handover.run.need("evaluation-report", "evaluate").outputs["predictions"]
    if not predictions.is_file():
        raise UnusableInput(f"{predictions} is missing", fix=f"gatewright evaluate --run {handover.run.id}")
    found_digest = "sha256:" + digest_file(predictions)
    if found_digest != recorded:
        raise DigestChanged("predictions.parquet", recorded=recorded, found=found_digest)
    handover.inputs["predictions"] = recorded


def _refuse(judgement: Judgement) -> None:
    def told(verdict: Verdict) -> str:
        # Where no gate could tell, those that only warn stop the run, too.
        warned = verdict is Verdict.INCONCLUSIVE and any(found.verdict is not verdict for found in judgement.results)
        results = [
            result for result in judgement.results if result.verdict is verdict and not (warned and result.warns)
        ]
        return "\n".join(line for result in results for line in _lines(result))

    if judgement.verdict is Verdict.FAIL:
        raise StageFailed(told(Verdict.FAIL), fix="the model goes no further; mend data or code and start a new run")
    if judgement.verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive(
            told(Verdict.INCONCLUSIVE), fix="a larger evaluation set decides; gatewright gate --explain says how large"
        )


def _lines(result: GateResult) -> Iterator[str]:
    """The gate's sentence, which names the worst slice, and a line for each further one that failed."""
    yield f"{result.gate} gate: {result.why}"
    yield from (f"  also {text}" for text in further(result))
