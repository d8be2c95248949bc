"""Gates and what they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from gatewright.domain.duration import Duration

Share = Annotated[float, Ge(0), Le(1)]
GateName = Literal["overall", "slices", "fairness", "latency"]
GATE_NAMES: tuple[GateName, ...] = ("overall", "slices", "fairness", "latency")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallGate:
    """Candidate accuracy may lie at most `margin` below the baseline's; `min` is an absolute floor."""

    margin: Share = 0.02
    min: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGate:
    """No slice of at least `min_rows` rows may drop by more than `max_drop`."""

    max_drop: Share = 0.04
    min_rows: Annotated[int, Gt(0)] = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessGate:
    """The demographic parity difference stays within `max` and does not worsen by more than `max_worsening`."""

    metric: Literal["demographic_parity_difference"] = "demographic_parity_difference"
    max: Share = 0.2
    max_worsening: Share = 0.01
    min_rows: Annotated[int, Gt(0)] = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyGate:
    """The 99th percentile of one prediction's latency stays within the SLA."""

    p99: Duration = Duration(5.0)


class Verdict(StrEnum):
    """What a gate says. Broken input is an error, not a verdict."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """One gate's verdict with its reason and the numbers it rests on."""

    gate: GateName
    verdict: Verdict
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All gates of one run. `skipped` gates were left out by request, `warnings` are shown with every report."""

    results: tuple[GateResult, ...]
    skipped: tuple[GateName, ...] = ()
    warnings: tuple[str, ...] = ()
    bootstrap_by: str | None = None

    @property
    def verdict(self) -> Verdict:
        """FAIL outweighs INCONCLUSIVE, which outweighs PASS."""
        verdicts = {result.verdict for result in self.results}
        for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            if verdict in verdicts:
                return verdict
        return Verdict.PASS
