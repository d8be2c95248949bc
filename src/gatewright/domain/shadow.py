"""Step 0 of a rollout: stable's requests copied to a canary whose answers nobody gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from gatewright.domain.duration import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """For at least `hold`, `share` of the requests is copied; answers no further apart than `tolerance` are equal."""

    hold: Duration = Duration(600.0)
    share: Annotated[float, Gt(0), Le(1)] = 1.0
    tolerance: Annotated[float, Ge(0)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowObservation:
    """Copies of requests that stable answered in one block of time.

    Of `asked` copies the canary did not answer `failed`; of the others it answered `equal` as stable did. `cells` are
    the pairs of answers as (canary's cell, stable's cell, how many); empty before the cells of the drift are chosen.
    """

    tick: int
    asked: int
    failed: int
    equal: int
    cells: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """How often one event was true of one answer of a pair only: of the canary's, of stable's."""

    canary_only: int = 0
    stable_only: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowEvidence:
    """What the copies have shown so far; it counts for nothing after step 0.

    `events` are those of the drift, over `pairs` pairs of answers; the peaks are the highest logarithms of its
    e-values, beyond the margin that pauses and the one that rolls back.
    """

    asked: int = 0
    failed: int = 0
    equal: int = 0
    pairs: int = 0
    events: tuple[PairedCounts, ...] = ()
    pause_peak: float = 0.0
    rollback_peak: float = 0.0
    breaker_log_e: tuple[float, ...] = ()

    @property
    def answered(self) -> int:
        """Copies that the canary answered."""
        return self.asked - self.failed
