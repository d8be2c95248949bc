"""One door to both block e-processes: of bad events among requests, and of losses from 0 to 1."""

from __future__ import annotations

from gatewright.domain.evidence import Block, BlockEvidence, Direction, Losses
from gatewright.stats import betting, sequential


def start(direction: Direction, margin: float, bad: float, n: float, squares: float | None = None) -> BlockEvidence:
    """No evidence yet; with `squares`, the sum of stable's squared losses, `bad` is a sum of losses."""
    if squares is None:
        return sequential.start(direction, margin, bad, n)
    return betting.start(direction, margin, n, bad, squares)


def update(evidence: BlockEvidence, block: Block | Losses, design_effect: float = 1.0) -> BlockEvidence:
    """The evidence after one more block of what it is about."""
    if isinstance(block, Losses):
        return betting.update(evidence, block, design_effect)
    return sequential.update(evidence, block, design_effect)


def growth(
    evidence: BlockEvidence,
    canary_share: float,
    stable_share: float,
    *,
    canary_n: float,
    stable_n: float,
    design_effect: float = 1.0,
) -> tuple[float, ...]:
    """What a block of these sizes and bad shares (or mean losses) is expected to add to each alternative's log e."""
    of_one = sequential.drift if evidence.squares is None else betting.growth
    sizes = {"canary_n": canary_n, "stable_n": stable_n, "design_effect": design_effect}
    return of_one(evidence, canary_share, stable_share, **sizes)


def enough(evidence: BlockEvidence, floor: int) -> int:
    """How many of the canary bring three standard errors within the margin; at least `floor`."""
    if evidence.squares is not None:
        return betting.enough_losses(evidence, floor)
    n = evidence.prior_n + evidence.stable_n
    rate = (evidence.prior_bad + evidence.stable_bad) / n if n else 0.0
    return sequential.enough_requests(rate, evidence.margin, floor)
