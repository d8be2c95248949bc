"""Gates, what they decide, and on which comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen

from gatewright.domain.duration import Duration
from gatewright.domain.metrics import FairnessMetric

Share = Annotated[float, Ge(0), Le(1)]
Level = Annotated[float, Gt(0), Le(0.5)]
Text = Annotated[str, MinLen(1)]
Inconclusive = Literal["block", "warn"]
GateName = Literal["overall", "slices", "fairness", "latency", "golden", "auc", "calibration"]
GATE_NAMES: tuple[GateName, ...] = ("overall", "slices", "fairness", "latency", "golden", "auc", "calibration")
CORE_GATES: tuple[GateName, ...] = ("overall", "slices", "fairness", "latency")
"""The four that stand in every project unless they are left out by name; the others are there when configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallGate:
    """The candidate is not worse than the baseline by more than `margin`; `min` (`max` of an error) decides alone on
    the first deployment. Unless `allow_small_regression`, a drop of `min_effect` that is significant fails, too."""

    margin: Share = 0.02
    min: Share | None = None
    max: Annotated[float, Ge(0)] | None = None
    alpha: Level = 0.05
    allow_small_regression: bool = True
    min_effect: Share = 0.01
    on_inconclusive: Inconclusive = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGate:
    """No slice of at least `min_rows` rows drops by more than `max_drop`; statistically: by `min_effect` or more,
    significantly after Holm's correction at `alpha` over all slices."""

    max_drop: Share = 0.04
    min_rows: Annotated[int, Gt(0)] = 100
    alpha: Level = 0.025
    min_effect: Share = 0.01
    power: Annotated[float, Ge(0.5), Le(0.99)] = 0.8
    on_inconclusive: Inconclusive = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessGate:
    """Each gap between groups stays within `max` and does not worsen: by more than `max_worsening` in point mode;
    statistically by that much and significantly, and a worsening of `worsening_margin` must be excluded."""

    metric: FairnessMetric | Annotated[tuple[FairnessMetric, ...], MinLen(1)] = "demographic_parity_difference"
    max: Share = 0.2
    max_worsening: Share = 0.01
    worsening_margin: Share = 0.05
    already_over: Literal["fail", "ratchet"] = "fail"
    min_rows: Annotated[int, Gt(0)] = 100
    alpha: Level = 0.025
    on_inconclusive: Inconclusive = "block"
    on_inconclusive_change: Inconclusive = "warn"

    @property
    def metrics(self) -> tuple[FairnessMetric, ...]:
        """Every gap that is judged."""
        return (self.metric,) if isinstance(self.metric, str) else self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyGate:
    """The 99th percentile of one prediction's latency stays within the SLA, and within `max_ratio` times the
    baseline's."""

    p99: Duration = Duration(5.0)
    max_ratio: Annotated[float, Ge(1)] | None = None
    on_inconclusive: Inconclusive = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenGate:
    """A second, pinned baseline, registered as `version`: guards against going down by many small steps."""

    version: Annotated[int, Gt(0)]
    margin: Share = 0.02
    max_drop: Share = 0.04
    min_rows: Annotated[int, Gt(0)] = 100
    alpha: Level = 0.025
    on_inconclusive: Inconclusive = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class AucGate:
    """No slice's AUC drops by more than `max_drop`; DeLong's test, Holm at `alpha` over all slices."""

    max_drop: Share = 0.04
    min_rows: Annotated[int, Gt(0)] = 100
    alpha: Level = 0.025
    min_effect: Share = 0.01
    power: Annotated[float, Ge(0.5), Le(0.99)] = 0.8
    on_inconclusive: Inconclusive = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationGate:
    """The expected calibration error stays within `max` and does not worsen by more than `max_worsening`."""

    max: Share = 0.1
    max_worsening: Share = 0.02
    alpha: Level = 0.025
    on_inconclusive: Inconclusive = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Somebody lets a failing or inconclusive gate pass, or one slice of it, for a reason and up to a day."""

    gate: GateName
    slice: Text | None = None
    reason: Text
    by: Text
    expires: date


class Verdict(StrEnum):
    """What a gate says. Broken input is an error, not a verdict."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its confidence interval [low, high] at `level` (two-sided), from `n` rows by `method`."""

    value: float
    low: float
    high: float
    level: float
    n: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One metric of candidate and baseline on one slice, and what it means for the gate.

    `harm` is how much worse the candidate is, in the unit of `limit`, whatever way the metric points: positive is
    worse. Of `kind` level, it is the candidate's own value. `alpha` is the gate's level, `p` is before and `p_adjusted`
    after the correction for multiplicity. `mde`: the smallest harm that is found with the gate's power on this many
    rows. `needed_rows`: about how many rows of this slice would decide, when these do not.
    """

    metric: str
    slice: str
    rows: int
    verdict: Verdict
    note: str = ""
    kind: Literal["change", "level"] = "change"
    candidate: float | None = None
    baseline: float | None = None
    harm: Estimate | None = None
    limit: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    alpha: float | None = None
    mde: float | None = None
    needed_rows: int | None = None
    waived_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """One gate's verdict with its reason and the numbers it rests on.

    `alpha` is the gate's share of false alarms. An INCONCLUSIVE gate stops the run unless `warns`: then it counts as
    passed, and lists what was not tested. `a_a` is the share of runs this gate would fail although nothing changed.
    """

    gate: GateName
    verdict: Verdict
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    alpha: float | None = None
    needed_n: int | None = None
    warns: bool = False
    a_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All gates of one run. `skipped` gates were left out by request, `warnings` are shown with every report.

    `a_a`: the share of runs that any gate would fail although nothing changed, as counted on this evaluation's cells.
    """

    results: tuple[GateResult, ...]
    mode: Literal["statistical", "point"] = "point"
    skipped: tuple[GateName, ...] = ()
    warnings: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    bootstrap_by: str | None = None
    a_a: float | None = None

    @property
    def verdict(self) -> Verdict:
        """FAIL outweighs INCONCLUSIVE, which outweighs PASS.

        A gate that only warns does not stop the run, unless no gate at all could tell: then nothing was checked.
        """
        told = any(not _open(result) for result in self.results)
        verdicts = {result.verdict for result in self.results if not (told and result.warns and _open(result))}
        for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            if verdict in verdicts:
                return verdict
        return Verdict.PASS


def _open(result: GateResult) -> bool:
    return result.verdict is Verdict.INCONCLUSIVE
