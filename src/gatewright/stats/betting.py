"""Evidence on two streams of numbers from 0 to 1 that may be looked at after every block: a betting e-process.

The numbers are losses (1 - reward), so that more is worse, as with bad requests. One block holds n_c losses x of the
canary and n_s losses y of stable. A bettor puts the same stake S on each of two outcomes, that the canary loses more
than a, and that stable loses less than b = a - margin, and spreads it over the losses of the arm:

    e = prod_i (1 + S/n_c (x_i - a)) prod_j (1 - S/n_s (y_j - b))

Why E[e] <= 1 on the whole null "mean loss of canary <= mean loss of stable + margin": with p_i, q_j the true means,
independent given the past, E[e] is the same product at p_i and q_j, and 1 + z <= exp(z) bounds it by

    exp(S (mean p - a) - S (mean q - b)) = exp(S (mean p - mean q - margin)) <= 1.

Only the means of the block enter: they may drift as they like from block to block and within one, and the losses may
have any distribution. a, b and S are chosen from past blocks and from the sizes of this one, so the product over blocks
is a test supermartingale, so is the mean over several stakes, and P(e ever >= 1/alpha) <= alpha (Ville). The null of
direction "acceptable", that the canary loses at least the margin more, is tested by the stake -S.

The stakes are those that grow fastest in an alternative t_c = t_s + margin + excess, to second order: S = excess /
(v (1/n_c + 1/n_s)), v the variance of stable's past losses, at the point (a, b) that divides the excess by the sizes.
No stake may lose more than nine tenths of the wealth on one loss.

A block carries each arm's losses as counts at 21 levels. A loss between two levels is divided among both, so that its
mean is kept. As the logarithm is concave this can only lower e, so the guarantee stays; losses of 0 and 1 are exact.

Sources: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", J. R. Statist. Soc. B 86
(2024) 1-27: the product of bets, the stake by mean and variance of the past, the truncation. Design effect and cash: as
in `sequential`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gatewright.domain.evidence import BlockEvidence, Direction, Losses
from gatewright.stats.wealth import CASH, log_wealth, spend

LEVELS = tuple(number / 20 for number in range(21))
PRIOR_CAP = 2000.0
_MOST_LOST = 0.9
_EDGE = 1e-6
# How much worse than the margin (in margins) an alternative of "worse" is, and how much better one of "acceptable".
_EXCESS: dict[Direction, tuple[float, ...]] = {
    "worse": (0.5, 1.0, 2.0, 5.0, 11.0, 39.0),
    "acceptable": (2.0, 1.5, 1.25, 1.0, 0.75),
}
_EXCESS_AT_0 = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def spread(losses: Iterable[float]) -> tuple[float, ...]:
    """Counts at `LEVELS`, (21,), of losses from 0 to 1; ValueError for others."""
    counts = [0.0] * len(LEVELS)
    for loss in losses:
        if not 0.0 <= loss <= 1.0:
            raise ValueError(f"{loss!r} is no loss; a number from 0 to 1 is needed")
        place = loss * (len(LEVELS) - 1)
        below = min(int(place), len(LEVELS) - 2)
        counts[below] += 1.0 - (place - below)
        counts[below + 1] += place - below
    return tuple(counts)


def start(direction: Direction, margin: float, n: float, total: float, squares: float) -> BlockEvidence:
    """No evidence yet. History: `n` losses of stable before the canary, their sum and that of their squares.

    They weigh at most 2,000. Without any, the first block with losses of stable only teaches their mean.
    """
    if not (0 <= squares <= total + 1e-9 and total <= n + 1e-9 < math.inf):
        raise ValueError(
            f"history: n={n!r}, sum={total!r}, squares={squares!r}; needs 0 <= squares <= sum <= n, finite"
        )
    shrink = min(1.0, PRIOR_CAP / n) if n else 1.0
    cash = CASH if direction == "worse" else 0.0
    alternatives = _EXCESS[direction] if margin else _EXCESS_AT_0
    return BlockEvidence(
        direction=direction,
        margin=margin,
        prior_bad=total * shrink,
        prior_n=n * shrink,
        squares=squares * shrink,
        log_e=(math.log(1.0 - cash),) * len(alternatives),
        cash=cash,
    )


def update(evidence: BlockEvidence, block: Losses, design_effect: float = 1.0) -> BlockEvidence:
    """The evidence after one more block, whose counts are divided by max(1, design_effect)."""
    if evidence.squares is None:
        raise ValueError("this evidence counts bad requests: it cannot take losses")
    if not 0.0 < design_effect < math.inf:
        raise ValueError(f"design_effect is {design_effect!r}; a finite number above 0 is needed")
    divisor = max(1.0, design_effect)
    canary = tuple(count / divisor for count in block.canary)
    stable = tuple(count / divisor for count in block.stable)
    n_c, n_s = sum(canary), sum(stable)
    log_e, cash = evidence.log_e, evidence.cash
    if n_c and n_s and evidence.prior_n + evidence.stable_n:
        log_e = tuple(
            value + _log_product(canary, stake / n_c, a) + _log_product(stable, -stake / n_s, b)
            for value, (stake, a, b) in zip(log_e, _bets(evidence, n_c, n_s), strict=True)
        )
        log_e, cash = spend(log_e, cash)
    return replace(
        evidence,
        log_e=log_e,
        cash=cash,
        canary_n=evidence.canary_n + n_c,
        canary_bad=evidence.canary_bad + _moment(canary, 1),
        stable_n=evidence.stable_n + n_s,
        stable_bad=evidence.stable_bad + _moment(stable, 1),
        squares=evidence.squares + _moment(stable, 2),
        peak_log_e=max(evidence.peak_log_e, log_wealth(log_e, cash)),
    )


def growth(
    evidence: BlockEvidence,
    canary_mean: float,
    stable_mean: float,
    *,
    canary_n: float,
    stable_n: float,
    design_effect: float = 1.0,
) -> tuple[float, ...]:
    """How much each alternative's log e-value grows in a block of these sizes, if losses lie at mean ± deviation."""
    divisor = max(1.0, design_effect)
    n_c, n_s = canary_n / divisor, stable_n / divisor
    if not n_c or not n_s or not evidence.prior_n + evidence.stable_n:
        return (0.0,) * len(evidence.log_e)
    deviation = math.sqrt(variance(evidence))
    return tuple(
        n_c * _mean_log(canary_mean, deviation, stake / n_c, a)
        + n_s * _mean_log(stable_mean, deviation, -stake / n_s, b)
        for stake, a, b in _bets(evidence, n_c, n_s)
    )


def variance(evidence: BlockEvidence) -> float:
    """Of stable's losses so far, drawn towards 1/4, the largest there is, by the weight of one loss."""
    n = evidence.prior_n + evidence.stable_n
    if not n or evidence.squares is None:
        return 0.25
    mean = (evidence.prior_bad + evidence.stable_bad) / n
    return (n * max(0.0, evidence.squares / n - mean * mean) + 0.25) / (n + 1.0)


def design_effect(per_user: Iterable[Sequence[float]]) -> float:
    """Variance of stable's mean loss relative to independent losses, from the losses of each user; >= 1.

    Ratio estimator of Rao and Scott (1992), with the losses' own variance for that of events.
    """
    users = [losses for losses in per_user if losses]
    n = sum(map(len, users))
    mean = math.fsum(map(math.fsum, users)) / n if n else 0.0
    alone = math.fsum((loss - mean) ** 2 for losses in users for loss in losses)
    if len(users) < 2 or not alone:
        return 1.0
    together = math.fsum((math.fsum(losses) - len(losses) * mean) ** 2 for losses in users)
    return max(1.0, together * len(users) / (len(users) - 1) / alone)


def enough_losses(evidence: BlockEvidence, floor: int) -> int:
    """max(floor, ceil(9 v / margin^2)): canary losses with three standard errors in the margin."""
    return max(floor, math.ceil(round(9.0 * variance(evidence) / evidence.margin**2, 6)))


def _bets(evidence: BlockEvidence, n_c: float, n_s: float) -> list[tuple[float, float, float]]:
    """(stake, a, b) of each alternative; a stake above 0 says that the canary loses more."""
    margin, sign = evidence.margin, 1.0 if evidence.direction == "worse" else -1.0
    mean = (evidence.prior_bad + evidence.stable_bad) / (evidence.prior_n + evidence.stable_n)
    excesses = tuple(margin * part for part in _EXCESS[evidence.direction]) if margin else _EXCESS_AT_0
    each = variance(evidence) * (1.0 / n_c + 1.0 / n_s)
    found = []
    for excess in excesses:
        b = mean + sign * excess * n_c / (n_c + n_s)
        b = min(max(b, _EDGE), 1.0 - margin - _EDGE)
        a = b + margin
        most = min(n_c / a, n_s / (1.0 - b)) if sign > 0 else min(n_c / (1.0 - a), n_s / b)
        found.append((sign * min(excess / each, _MOST_LOST * most), a, b))
    return found


def _log_product(counts: Sequence[float], bet: float, at: float) -> float:
    pairs = zip(counts, LEVELS, strict=True)
    return math.fsum(count * math.log1p(bet * (level - at)) for count, level in pairs if count)


def _mean_log(mean: float, deviation: float, bet: float, at: float) -> float:
    ends = max(0.0, mean - deviation), min(1.0, mean + deviation)
    return 0.5 * sum(math.log1p(bet * (end - at)) for end in ends)


def moments(counts: Sequence[float]) -> tuple[float, float, float]:
    """How many, the sum of their losses, and that of the squares."""
    return sum(counts), _moment(counts, 1), _moment(counts, 2)


def _moment(counts: Sequence[float], power: int) -> float:
    return math.fsum(count * level**power for count, level in zip(counts, LEVELS, strict=True))
