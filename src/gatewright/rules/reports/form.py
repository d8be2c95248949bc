"""evaluation-report.json as it is written and published: the simple form on top, the whole evidence below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, MinLen

from gatewright.domain.evaluation import (
    CalibrationBins,
    Latency,
    LatencyRatio,
    Outcome,
    PairedEstimate,
    SliceEvidence,
    WeakSlice,
)
from gatewright.domain.metrics import MetricName, Task

Text = Annotated[str, MinLen(1)]
Count = Annotated[int, Ge(0)]
MANY = 64
"""From so many outcomes on most cells are 0, and only the others are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceForm:
    """One slice or group: its rows, how many had each outcome, and paired estimates of what is no count.

    `cells` follows `outcomes`. With more than 64 outcomes it is empty, and `nonzero` has the counts that are not 0 by
    the place of their outcome, from 0. `weights` and `squares` are there when rows carry weights: the sums of these,
    and of their squares, by outcome (one number each without outcomes).
    """

    rows: Annotated[int, Ge(1)]
    cells: tuple[Count, ...] = ()
    nonzero: Mapping[str, Annotated[int, Ge(1)]] = field(default_factory=dict)
    scores: Mapping[MetricName, PairedEstimate] = field(default_factory=dict)
    weights: tuple[Annotated[float, Ge(0)], ...] = ()
    squares: tuple[Annotated[float, Ge(0)], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenForm:
    """The candidate beside the pinned golden baseline, on the same rows."""

    baseline_digest: Text
    overall: SliceForm
    slices: Mapping[str, SliceForm]
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceForm:
    """Everything that was measured; every metric and its uncertainty follows from it."""

    overall: SliceForm
    slices: Mapping[str, SliceForm]
    groups: Mapping[str, Mapping[str, SliceForm]]
    outcomes: tuple[Outcome, ...] = ()
    positive: int = 1
    calibration: CalibrationBins | None = None
    candidate_latency: Latency | None = None
    baseline_latency: Latency | None = None
    latency_ratio: LatencyRatio | None = None
    golden: GoldenForm | None = None
    weak_slices: tuple[WeakSlice, ...] = ()
    weight: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportForm:
    """What candidate and baseline did on the same rows of the same evaluation set.

    Tasks with classes have `overall_accuracy` and accuracies in `slices`; others have the primary metric there, and
    under its own name. `baseline` holds the same numbers of the baseline.
    """

    model: Text
    task: Task
    metric: MetricName
    metrics: tuple[MetricName, ...]
    metric_version: Text
    candidate_digest: Text
    baseline_digest: Text | None
    evaluation_digest: Text
    evidence: EvidenceForm
    overall_accuracy: float | None = None
    slices: Mapping[str, float] = field(default_factory=dict)
    demographic_parity_diff: float | None = None
    latency_p99_ms: float | None = None
    baseline: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


def form_of(evidence: SliceEvidence) -> dict[str, Any]:
    """A slice as it is written: few outcomes in full, of many those that occur."""
    form: dict[str, Any] = {"rows": evidence.rows, "cells": evidence.cells, "scores": evidence.scores}
    if len(evidence.cells) > MANY:
        nonzero = {str(place): count for place, count in enumerate(evidence.cells) if count}
        form = {"rows": evidence.rows, "nonzero": nonzero, "scores": evidence.scores}
    return form | ({"weights": evidence.weights, "squares": evidence.squares} if evidence.weights else {})


def json_schema() -> dict[str, Any]:
    """The draft 2020-12 schema of evaluation-report.json, envelope and simple form included."""
    from pydantic import TypeAdapter

    schema: dict[str, Any] = TypeAdapter(ReportForm).json_schema()
    for part in schema["$defs"].values():
        part["additionalProperties"] = part.get("type") != "object"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "evaluation-report.json"}
