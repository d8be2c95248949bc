"""A sample of traffic on its way to an evaluation set: what was drawn, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

WEIGHT, STRATUM, RANDOM = "weight", "stratum", "random"
DESIGN_COLUMNS = (WEIGHT, STRATUM, RANDOM)
"""What a sample adds to the traffic: rows each stands for, its stratum, whether chance alone chose it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumFacts:
    """One stratum: its rows in the traffic, in the sample, those drawn purely at random, and the expected spread."""

    name: str
    traffic: int
    sampled: int
    random: int
    spread: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """Everything that a sample was made from; `digest` is that of its rows as they are stored.

    `personal`: columns that annotators see only when asked for. `parent`: the evaluation version of that moment.
    """

    id: str
    dataset: str
    model: str
    source: str
    window_from: datetime
    window_to: datetime
    traffic_rows: int
    rows: int
    allocation: str
    random_share: float
    seed: int
    columns: tuple[str, ...]
    strata: tuple[StratumFacts, ...]
    id_column: str
    label: str
    digest: str
    created_at: datetime
    personal: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one annotator said of one row, and where it stands; `value` None: nothing."""

    task: str
    annotator: str
    value: str | None
    file: str
    line: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How much annotators agree on the `rows` that several of them labelled; coefficients None where undefined.

    `percent` of all pairs of labels of one row that are equal. Cohen's kappa is there of two annotators, Fleiss' of
    equally many labels a row, Krippendorff's alpha of any.
    """

    annotators: tuple[str, ...]
    rows: int
    percent: float | None = None
    cohen: float | None = None
    fleiss: float | None = None
    krippendorff: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was checked of an evaluation set: `state` is pass, warn, fail or unknown."""

    check: str
    state: str
    what: str
    numbers: Mapping[str, Any]
