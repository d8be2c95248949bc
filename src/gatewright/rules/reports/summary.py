"""EvaluationReport → the body of evaluation-report.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewright.domain.documents import plain
from gatewright.domain.evaluation import EvaluationReport, SliceEvidence
from gatewright.rules.reports.form import form_of
from gatewright.rules.reports.measures import MIN_ROWS, simple

_WEIGHED = ("weights", "positive_weights", "squares", "positive_squares")


def summary(report: EvaluationReport, min_rows: int = MIN_ROWS) -> dict[str, Any]:
    """The body: the simple form on top, the baseline's beside it, the whole evidence below."""
    golden = report.golden
    return {
        "model": report.model,
        "task": report.task,
        "metric": report.metric,
        "metrics": list(report.metrics),
        "metric_version": report.metric_version,
        "candidate_digest": report.candidate_digest,
        "baseline_digest": report.baseline_digest,
        "evaluation_digest": report.evaluation_digest,
        **simple(report, "candidate", min_rows),
        "baseline": simple(report, "baseline", min_rows) if report.baseline_digest is not None else None,
        "evidence": plain(
            {
                **_counted(report),
                "groups": {attribute: _forms(groups) for attribute, groups in report.groups.items()},
                "positive": report.positive,
                "calibration": _calibration(report),
                "candidate_latency": report.candidate_latency,
                "baseline_latency": report.baseline_latency,
                "latency_ratio": report.latency_ratio,
                "golden": {"baseline_digest": golden.baseline_digest, **_counted(golden)} if golden else None,
                "weak_slices": report.weak_slices,
                **({"weight": report.weight} if report.weight is not None else {}),
            }
        ),
        "notes": list(report.notes),
    }


def _calibration(report: EvaluationReport) -> dict[str, Any] | None:
    """The bins, without the sums of weights where there are none."""
    if report.calibration is None:
        return None
    form: dict[str, Any] = plain(report.calibration)
    return form if report.weight is not None else {name: form[name] for name in form if name not in _WEIGHED}


def _counted(report: EvaluationReport) -> dict[str, Any]:
    return {
        "outcomes": report.outcomes,
        "overall": form_of(report.overall),
        "slices": _forms(report.slices),
    }


def _forms(slices: Mapping[str, SliceEvidence]) -> dict[str, Any]:
    return {name: form_of(evidence) for name, evidence in slices.items()}
