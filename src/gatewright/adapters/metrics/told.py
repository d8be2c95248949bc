"""What a label or a reward says of an answer: how much was lost, from 0 (right) to 1 (wrong)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatewright.domain.evidence import Block, Losses
from gatewright.domain.feedback import Labelled
from gatewright.domain.rollout import QualityMargins
from gatewright.stats import betting, sequential


@dataclass(frozen=True, slots=True, kw_only=True)
class PastQuality:
    """Stable's own answers of which something was told before a rollout, and how alike those of one user are.

    `wrong` is the sum of what they lost; `squares` that of its squares, for rewards only.
    """

    labelled: int
    wrong: float
    squares: float | None
    design_effect: float


def of_kind(labels: Iterable[Labelled], margins: QualityMargins) -> list[Labelled]:
    """Labels, or rewards: what this rollout goes by."""
    return [label for label in labels if label.reward == (margins.by == "reward")]


def lost(label: Labelled, margins: QualityMargins) -> float:
    """Of a label all or nothing; of a reward what it lacks to 1."""
    if margins.by == "reward":
        return 1.0 - min(max(label.label, 0.0), 1.0)
    return float(abs(label.prediction - label.label) > margins.tolerance)


def block(canary: Sequence[float], stable: Sequence[float], margins: QualityMargins) -> Block | Losses:
    """A block of what both arms lost."""
    if margins.by == "reward":
        return Losses(canary=betting.spread(canary), stable=betting.spread(stable))
    return events(canary, stable)


def events(canary: Sequence[float], stable: Sequence[float]) -> Block:
    """A block of losses that are all 0 or 1."""
    bad = round(sum(canary)), round(sum(stable))
    return Block(canary_n=len(canary), canary_bad=bad[0], stable_n=len(stable), stable_bad=bad[1])


def past(labels: Sequence[Labelled], margins: QualityMargins) -> PastQuality:
    """What the newest labels say of stable."""
    losses = [lost(label, margins) for label in labels]
    users: dict[str, list[float]] = defaultdict(list)
    for label, loss in zip(labels, losses, strict=True):
        users[label.user].append(loss)
    rewards = margins.by == "reward"
    return PastQuality(
        labelled=len(losses),
        wrong=sum(losses),
        squares=sum(loss * loss for loss in losses) if rewards else None,
        design_effect=1.0 if "" in users else _design_effect(list(users.values()), rewards),
    )


def _design_effect(users: Sequence[Sequence[float]], rewards: bool) -> float:
    if rewards:
        return betting.design_effect(users)
    return sequential.design_effect((len(losses), round(sum(losses))) for losses in users)
