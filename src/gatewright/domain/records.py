"""What happened to a model, for good: one link of the chain of deployment records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """One link of the append-only chain: digest = SHA-256(previous ‖ canonical event).

    `kind` is what happened; a run has exactly one record whose kind is terminal.
    """

    seq: int
    at: datetime
    kind: str
    actor: str
    run: str
    model: str
    why: str
    rollout: str | None
    before: str | None
    after: str | None
    evidence: str | None
    details: Mapping[str, Any]
    previous: str
    digest: str


TERMINAL_KINDS = ("promoted", "confirmed", "restored", "rolled_back", "stopped", "aborted")
NOW_SERVES = ("promoted", "restored")
"""Kinds of records that made a version the baseline: after its rollout, or as a return to what served before."""
