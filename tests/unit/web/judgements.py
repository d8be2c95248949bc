"""Judgements and hand-offs made by hand: every verdict, waivers, slices with names that hurt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gatewright.domain.documents import plain
from gatewright.domain.evaluation import (
    EvaluationReport,
    Latency,
    Outcome,
    SliceEvidence,
    WeakSlice,
)
from gatewright.domain.gate import Comparison, Estimate, GateResult, Judgement, Verdict, Waiver
from gatewright.rules.cells import METRIC_VERSION
from gatewright.rules.summary import summary
from gatewright.store.runs import Handoff
from gatewright.web.subject import Subject, subject_of_run

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
HURTS = '<script>alert("1 & 2")</script>|a\nb\x07'
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
CANDIDATE, BASELINE, ROWS = "sha256:" + "c" * 64, "sha256:" + "b" * 64, "sha256:" + "e" * 64


def compared(name: str, rows: int, verdict: Verdict, harm: float | None, half: float = 0.02, **more: Any) -> Comparison:
    estimate = (
        None
        if harm is None
        else Estimate(value=harm, low=harm - half, high=harm + half, level=0.95, n=rows, method="paired")
    )
    known: dict[str, Any] = {"metric": "accuracy", "limit": 0.04, "alpha": 0.025}
    if harm is not None:
        known |= {"baseline": 0.8, "candidate": 0.8 - harm, "p": 0.01, "p_adjusted": 0.04, "mde": 0.031}
    return Comparison(slice=name, rows=rows, verdict=verdict, harm=estimate, **(known | more))


def slices() -> tuple[Comparison, ...]:
    return (
        compared("SEX=1", 5100, PASS, -0.012, 0.006, p=0.99, p_adjusted=1.0),
        compared("RAC1P=6", 610, FAIL, 0.0951, 0.031, p=0.0000012, p_adjusted=0.0000504, note="drops by 0.0951"),
        compared("DIS=1", 949, FAIL, 0.0347, 0.018, p=0.0004, p_adjusted=0.0164, waived_by="ada"),
        compared("AGEP>=65 & SEX=2", 140, INCONCLUSIVE, 0.0214, 0.11, mde=0.0912, needed_rows=1800),
        compared("RAC1P=4", 12, INCONCLUSIVE, None, note="12 rows, under 100", needed_rows=1500),
        compared(HURTS, 420, PASS, 0.004, 0.015, note=HURTS),
    )


def judgement(found: Sequence[Comparison] | None = None) -> Judgement:
    """Four gates with every verdict; `found` are the comparisons of the slice gate."""
    overall = compared("all rows", 10_000, PASS, -0.0112, 0.0052, limit=0.02, p=0.0001, p_adjusted=None)
    cap = compared(
        "SEX", 10_000, PASS, None, kind="level", metric="demographic_parity_difference",
        baseline=0.11, candidate=0.12, limit=0.2,
    )  # fmt: skip
    worsening = compared(
        "SEX", 10_000, INCONCLUSIVE, 0.012, 0.05, limit=0.05, metric="demographic_parity_difference",
        baseline=0.11, candidate=0.122, needed_rows=24_000,
    )  # fmt: skip
    p99 = compared(
        "all rows", 3000, PASS, None, kind="level", metric="latency_p99_ms", candidate=14.2, baseline=13.9, limit=50.0
    )
    return Judgement(
        results=(
            GateResult(
                gate="overall", verdict=PASS, why="accuracy 0.8112 is 0.0112 above the baseline's 0.8000",
                comparisons=(overall,), alpha=0.05, a_a=0.0,
            ),
            GateResult(
                gate="slices", verdict=FAIL, why="1 of 4 tested slices drops: RAC1P=6 by 0.0951\nDIS=1 was waived",
                comparisons=tuple(found) if found is not None else slices(), alpha=0.025, a_a=0.012,
            ),
            GateResult(
                gate="fairness", verdict=INCONCLUSIVE, why="SEX: the gap may worsen by up to 0.062; 0.05 is allowed",
                comparisons=(cap, worsening), alpha=0.025, needed_n=24_000, warns=True, a_a=0.004,
            ),
            GateResult(
                gate="latency", verdict=PASS, why="p99 14.2 ms, at most 15.1 ms, is within the SLA of 50 ms",
                comparisons=(p99,), alpha=0.05,
            ),
        ),
        mode="statistical",
        skipped=("calibration",),
        warnings=("the evaluation set is 80 days old",),
        waivers=(
            Waiver(gate="slices", slice="DIS=1", reason="new labels in May", by="ada", expires=date(2026, 5, 1)),
        ),
        a_a=0.016,
    )  # fmt: skip


def quantiles(scale: float) -> tuple[tuple[float, float], ...]:
    """A tail as services have it."""
    depths = [step / 10 for step in range(34)]
    return tuple((1 - 10**-depth, round(scale * (2 + depth + 0.35 * depth**3), 4)) for depth in depths)


def evaluation() -> EvaluationReport:
    outcomes = tuple(
        Outcome(label=label, candidate=candidate, baseline=baseline)
        for label in (0, 1)
        for candidate in (0, 1)
        for baseline in (0, 1)
    )
    cells = SliceEvidence(rows=100, cells=(40, 5, 6, 10, 4, 2, 3, 30))
    most = SliceEvidence(rows=90, cells=(30, 5, 6, 10, 4, 2, 3, 30))
    return EvaluationReport(
        model="toy",
        task="binary",
        metric="accuracy",
        metrics=("accuracy",),
        metric_version=METRIC_VERSION,
        candidate_digest=CANDIDATE,
        baseline_digest=BASELINE,
        evaluation_digest=ROWS,
        overall=cells,
        slices={"SEX=1": cells},
        groups={"SEX": {"1": most, HURTS: SliceEvidence(rows=10, cells=(10, 0, 0, 0, 0, 0, 0, 0))}},
        outcomes=outcomes,
        candidate_latency=Latency(p50_ms=2.4, p99_ms=6.8, p99_upper_ms=7.9, samples=3000, curve=quantiles(1.0)),
        baseline_latency=Latency(p50_ms=2.2, p99_ms=6.1, p99_upper_ms=7.0, samples=3000, curve=quantiles(0.9)),
        weak_slices=(WeakSlice(name="SCHL=3 & AGEP<25", rows=211, value=0.61, difference=-0.19, p=0.0021),),
    )


def handoff(stage: str, status: str = "passed", outputs: Mapping[str, str] | None = None, **body: Any) -> Handoff:
    return Handoff(
        run="r1",
        stage=stage,
        status=status,
        started_at=AT,
        ended_at=AT + timedelta(seconds=2),
        outputs=outputs or {},
        body=body,
    )


def lock() -> Handoff:
    pinned = {"name": "acs", "version": "v1", "digest": ROWS, "rows": 1200}
    return handoff(
        "open", model="toy", reasons=["data: a → b"], train=pinned, evaluation=pinned, commit="c" * 40, config=ROWS,
        baseline={"number": 4, "artifact": {"digest": BASELINE}},
    )  # fmt: skip


def verdict_body(judged: Judgement) -> dict[str, Any]:
    """As the gate stage writes it."""
    return {"verdict": judged.verdict.value, "artifact": CANDIDATE, **plain(judged)}


def handoffs(judged: Judgement | None = None) -> dict[str, Handoff]:
    judged = judged or judgement()
    return {
        "lock": lock(),
        "candidate": handoff("train", outputs={"artifact": CANDIDATE}),
        "evaluation-report": handoff("evaluate", **summary(evaluation()), warnings=["dependencies were NOT audited"]),
        "verdict": handoff("gate", "failed", **verdict_body(judged)),
    }


def subject(judged: Judgement | None = None) -> Subject:
    return subject_of_run("r1", handoffs(judged), [])
