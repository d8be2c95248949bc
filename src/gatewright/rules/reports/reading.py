"""Reads evaluation-report.json back, taking nothing on trust."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from gatewright.domain.errors import Place, Problem, ReportError
from gatewright.domain.evaluation import EvaluationReport, Outcome, SliceEvidence
from gatewright.rules.measuring.cells import METRIC_VERSION
from gatewright.rules.reports.checks import faults
from gatewright.rules.reports.form import EvidenceForm, GoldenForm, ReportForm, SliceForm

FILE = "evaluation-report.json"
_MOST_TOLD = 10


def report_from(body: Mapping[str, Any]) -> EvaluationReport:
    """The report whose `summary` is `body`; ReportError names each field that is missing or not what it should be."""
    version = body.get("metric_version")
    if isinstance(version, str) and version != METRIC_VERSION:
        raise _unreadable([("metric_version", f"is {version!r}, this release reads {METRIC_VERSION!r}")])
    known = {field.name for field in fields(ReportForm)}
    form = _read({name: value for name, value in body.items() if name in known})
    report = _report(form)
    if found := list(faults(report, form)):
        raise _unreadable(found)
    return report


def _read(body: dict[str, Any]) -> ReportForm:
    from pydantic import ValidationError

    if strange := next(_not_finite(body, ""), None):
        raise _unreadable([(strange, "is not finite, and no number that can be compared")])
    try:
        form: ReportForm = _adapter().validate_json(json.dumps(body), strict=True, extra="forbid")
    except ValidationError as failed:
        raise _unreadable([_told(error) for error in failed.errors(include_url=False)]) from failed
    return form


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(ReportForm)


def _told(error: Any) -> tuple[str, str]:
    """Which field, and what is wrong with it."""
    field = ".".join(str(part) for part in error["loc"] if part != "[key]")
    match error["type"]:
        case "missing":
            return field, "is missing"
        case "unexpected_keyword_argument":
            return field, "is not known"
        case _:
            found = json.dumps(error["input"])
            return field, f"is {found if len(found) < 60 else found[:57] + '…'}: {error['msg']}"


def _not_finite(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        yield from _not_finite(item, f"{path}.{key}" if path else str(key))


def _report(form: ReportForm) -> EvaluationReport:
    evidence = form.evidence
    return EvaluationReport(
        model=form.model,
        task=form.task,
        metric=form.metric,
        metrics=form.metrics,
        metric_version=form.metric_version,
        candidate_digest=form.candidate_digest,
        baseline_digest=form.baseline_digest,
        evaluation_digest=form.evaluation_digest,
        **_counted(evidence),
        groups={attribute: _slices(groups, evidence.outcomes) for attribute, groups in evidence.groups.items()},
        positive=evidence.positive,
        calibration=evidence.calibration,
        candidate_latency=evidence.candidate_latency,
        baseline_latency=evidence.baseline_latency,
        latency_ratio=evidence.latency_ratio,
        golden=_golden(form, evidence.golden) if evidence.golden else None,
        weak_slices=evidence.weak_slices,
        notes=form.notes,
        weight=evidence.weight,
    )


def _golden(form: ReportForm, golden: GoldenForm) -> EvaluationReport:
    return EvaluationReport(
        model=form.model,
        task=form.task,
        metric=form.metric,
        metrics=form.metrics,
        metric_version=form.metric_version,
        candidate_digest=form.candidate_digest,
        baseline_digest=golden.baseline_digest,
        evaluation_digest=form.evaluation_digest,
        **_counted(golden),
        groups={},
        positive=form.evidence.positive,
        weight=form.evidence.weight,
    )


def _counted(form: EvidenceForm | GoldenForm) -> dict[str, Any]:
    return {
        "outcomes": form.outcomes,
        "overall": _slice(form.overall, form.outcomes),
        "slices": _slices(form.slices, form.outcomes),
    }


def _slices(forms: Mapping[str, SliceForm], outcomes: tuple[Outcome, ...]) -> dict[str, SliceEvidence]:
    return {name: _slice(form, outcomes) for name, form in forms.items()}


def _slice(form: SliceForm, outcomes: tuple[Outcome, ...]) -> SliceEvidence:
    cells = form.cells
    if form.nonzero:
        cells = tuple(form.nonzero.get(str(place), 0) for place in range(len(outcomes)))
    scores = {str(name): estimate for name, estimate in form.scores.items()}
    return SliceEvidence(rows=form.rows, cells=cells, scores=scores, weights=form.weights, squares=form.squares)


def _unreadable(found: list[tuple[str, str]]) -> ReportError:
    return ReportError(
        f"{FILE} cannot be read",
        tuple(Problem(where=Place(file=FILE), field=field, what=what) for field, what in found[:_MOST_TOLD]),
        fix="run the stage again: gatewright evaluate --run RUN",
    )
