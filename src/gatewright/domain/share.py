"""Which share of the live requests does the canary really get? Draws of one weight, and what they have shown."""

from __future__ import annotations

from dataclasses import dataclass

HALF_A_PART = 0.0051
"""Per cent: weights are whole parts of 10,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawObservation:
    """Of `drawn` draws under `weight` per cent, in a block that began at `at` (seconds), `canary` fell on the canary.

    A draw is the first request of a user under this weight, or a request of nobody.
    """

    weight: float
    at: float
    drawn: int
    canary: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareEvidence:
    """The draws under one `weight` since `since` (seconds): counters, and the state of the e-process.

    `reapplied` says how often this weight was written again because the draws did not fit; each time the evidence
    begins anew, with requests that arrive after `since`.
    """

    weight: float
    since: float = 0.0
    drawn: int = 0
    canary: int = 0
    log_e: tuple[float, ...] = ()
    peak_log_e: float = 0.0
    reapplied: int = 0

    @property
    def era(self) -> str:
        """What names this stretch of draws: another weight, or another beginning, is another one."""
        return f"{self.weight:g}|{self.since:.3f}"
