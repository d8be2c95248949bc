"""Evidence on two request streams that may be looked at after every block: the block e-process.

One block holds the requests of both arms that arrived in one tick under one weight. Its e-value is a
likelihood ratio, the alternative (t_c, t_s) against the point (a0, b0) of the null that is nearest to it in
Kullback-Leibler divergence, *weighted by the sizes of this very block*:

    e = (t_c/a0)^k_c ((1-t_c)/(1-a0))^(n_c-k_c) (t_s/b0)^k_s ((1-t_s)/(1-b0))^(n_s-k_s)

Why E[e] <= 1 on the whole null, for every pair of sizes: ln E[e] = n_c ln L_c(p_c) + n_s ln L_s(p_s) with
L_c, L_s linear in the true rates, so it is concave; at (a0, b0) it is 0 and its gradient is minus that of the
weighted divergence, which the projection leaves pointing out of the convex null. Concavity gives more: the
rates may change within a block too, as long as the block's *mean* rates obey the null. The alternative is
chosen from past blocks only, so its products over blocks are test supermartingales, so is the mean of these,
and P(e ever >= 1/alpha) <= alpha (Ville). This needs block sizes that do not depend on the outcomes, and
requests that are independent given the rates.

Design effect: dividing all four counts by the same d >= 1 leaves (a0, b0) where it is and takes the d-th root
of e, so E[e] <= 1 stays exact for independent requests (Jensen). For the clustered requests it is meant for,
counts become fractions, no enumeration backs them, and the guarantee is approximate: as good as d itself.

Cash: in direction "worse" half of the wealth is held back for a fault that begins late (`wealth`); what is compared
with 1/alpha is cash + mean e.

Sources: R. Turner, A. Ly, P. Grunwald, "Generic E-variables for exact sequential k-sample tests that allow
for optional stopping", J. Statistical Planning and Inference 230 (2024). Design effect: J. N. K. Rao,
A. J. Scott, "A simple method for the analysis of clustered binary data", Biometrics 48 (1992) 577-585.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from gatewright.domain.evidence import Block, BlockEvidence, Direction
from gatewright.stats.wealth import CASH, log_wealth, spend

PRIOR_CAP = 2000.0
RATE_LOW, RATE_HIGH = 1e-6, 0.98

_MULTIPLES: dict[Direction, tuple[float, ...]] = {
    "worse": (1.5, 2.0, 3.0, 4.5, 9.0, 30.0),
    "acceptable": (-1.0, -0.5, -0.25, 0.0, 0.25),
}
# At margin 0 a multiple of the margin says nothing; relative risks whose excess grows threefold.
_RELATIVE_RISKS = (1.1, 1.3, 1.9, 3.7, 9.0, 25.0)


def start(direction: Direction, margin: float, history_bad: float, history_n: float) -> BlockEvidence:
    """No evidence yet. `margin` is frozen for the life of the test.

    history: bad events and requests of stable before the canary; they weigh at most 2,000 requests. Without
    any (0 of 0), the first block with stable requests only teaches the stable rate.
    """
    _check_counts("history", history_n, history_bad)
    shrink = min(1.0, PRIOR_CAP / history_n) if history_n else 1.0
    cash = CASH if direction == "worse" else 0.0
    return BlockEvidence(
        direction=direction,
        margin=margin,
        prior_bad=history_bad * shrink,
        prior_n=history_n * shrink,
        log_e=(math.log(1.0 - cash),) * _alternatives(direction, margin),
        cash=cash,
    )


def update(evidence: BlockEvidence, block: Block, design_effect: float = 1.0) -> BlockEvidence:
    """The evidence after one more block, whose counts are divided by max(1, design_effect)."""
    if not 0.0 < design_effect < math.inf:
        raise ValueError(f"design_effect is {design_effect!r}; a finite number above 0 is needed")
    expected = _alternatives(evidence.direction, evidence.margin)
    if len(evidence.log_e) != expected:
        raise ValueError(f"log_e has {len(evidence.log_e)} alternatives; {evidence.direction} needs {expected}")
    divisor = max(1.0, design_effect)
    n_c, k_c = block.canary_n / divisor, block.canary_bad / divisor
    n_s, k_s = block.stable_n / divisor, block.stable_bad / divisor
    t_s = _stable_rate(evidence)
    log_e, cash = evidence.log_e, evidence.cash
    if n_c and n_s and t_s is not None:
        log_e = tuple(
            previous + _log_factor(evidence, t_c, t_s, (n_c, k_c, n_s, k_s))
            for previous, t_c in zip(log_e, _canary_rates(evidence, t_s), strict=True)
        )
        log_e, cash = spend(log_e, cash)
    return replace(
        evidence,
        log_e=log_e,
        cash=cash,
        canary_n=evidence.canary_n + n_c,
        canary_bad=evidence.canary_bad + k_c,
        stable_n=evidence.stable_n + n_s,
        stable_bad=evidence.stable_bad + k_s,
        peak_log_e=max(evidence.peak_log_e, log_wealth(log_e, cash)),
    )


def log_e_value(evidence: BlockEvidence) -> float:
    """Natural logarithm of the e-value now: the mean over the alternatives, and the cash."""
    return log_wealth(evidence.log_e, evidence.cash)


def drift(
    evidence: BlockEvidence,
    canary_rate: float,
    stable_rate: float,
    *,
    canary_n: float,
    stable_n: float,
    design_effect: float = 1.0,
) -> tuple[float, ...]:
    """Expected growth of each log e in one block of these sizes, if the true bad rates are these.

    A block's log factor is linear in its bad events, so its expectation is the factor at the expected counts; and it is
    proportional to the sizes, so the growth of a second is that of a block with the requests of a second.
    """
    divisor = max(1.0, design_effect)
    n_c, n_s = canary_n / divisor, stable_n / divisor
    if not n_c or not n_s:
        return (0.0,) * len(evidence.log_e)
    t_s = _stable_rate(evidence)
    t_s = _clip(stable_rate) if t_s is None else t_s
    counts = (n_c, n_c * canary_rate, n_s, n_s * stable_rate)
    return tuple(_log_factor(evidence, t_c, t_s, counts) for t_c in _canary_rates(evidence, t_s))


def alarmed(evidence: BlockEvidence, alpha: float) -> bool:
    """Was e >= 1/alpha after any block so far? For "acceptable": has non-inferiority been shown at alpha?"""
    if not 0.0 < alpha <= 1.0:
        raise ValueError(f"alpha is {alpha!r}; a probability in (0, 1] is needed")
    return evidence.peak_log_e >= -math.log(alpha)


def nearest_null(t_c: float, t_s: float, margin: float, *, canary_n: float, stable_n: float) -> tuple[float, float]:
    """(a0, b0) on a = b + margin that minimises canary_n KL(t_c || a) + stable_n KL(t_s || b).

    t_c, t_s in (0, 1), margin in [0, 1), sizes > 0 of which only the ratio matters.
    """
    w_c = canary_n / (canary_n + stable_n)
    w_s = 1.0 - w_c
    if margin == 0.0:
        pooled = w_c * t_c + w_s * t_s
        return pooled, pooled
    # The slope in b, its denominators cleared, is a cubic with exactly one sign change between these two.
    low = max(0.0, min(t_s, t_c - margin))
    high = min(max(t_s, t_c - margin), 1.0 - margin)
    b = 0.5 * (low + high)
    for _ in range(200):
        a = b + margin
        slope = w_c * (a - t_c) * b * (1.0 - b) + w_s * (b - t_s) * a * (1.0 - a)
        low, high = (b, high) if slope < 0.0 else (low, b)
        steepness = w_c * (b * (1.0 - b) + (a - t_c) * (1.0 - 2.0 * b))
        steepness += w_s * (a * (1.0 - a) + (b - t_s) * (1.0 - 2.0 * a))
        step = slope / steepness if steepness else b
        if abs(step) <= 1e-13 * b:
            break
        b = b - step if low < b - step < high else 0.5 * (low + high)
    return b + margin, b


def rollback_margin(stable_rate: float, floor: float) -> float:
    """Difference of error rates that is tolerated before a rollback: max(floor, 25 % of stable)."""
    return _margin(stable_rate, floor, 0.25)


def promote_margin(stable_rate: float, floor: float) -> float:
    """Difference of error rates that non-inferiority must exclude: max(floor, 50 % of stable)."""
    return _margin(stable_rate, floor, 0.5)


def design_effect(per_user: Iterable[tuple[int, int]]) -> float:
    """Variance of stable's bad rate relative to independent requests, from (requests, bad) per user; >= 1.

    Ratio estimator of Rao and Scott (1992). Fewer than two users, or all requests alike, show none: 1.
    """
    users = [(n, bad) for n, bad in per_user if n != 0 or bad != 0]
    for n, bad in users:
        _check_counts("user", n, bad)
    total = sum(n for n, _ in users)
    rate = sum(bad for _, bad in users) / total if total else 0.0
    if len(users) < 2 or not 0.0 < rate < 1.0:
        return 1.0
    squares = math.fsum((bad - n * rate) ** 2 for n, bad in users)
    return max(1.0, squares * len(users) / (len(users) - 1) / (total * rate * (1.0 - rate)))


def enough_requests(p: float, margin: float, floor: int) -> int:
    """max(floor, ceil(9 p (1 - p) / margin^2)): canary requests with three standard errors in the margin."""
    if not (0.0 <= p <= 1.0 and 0.0 < margin < 1.0 and floor >= 0):
        raise ValueError(f"p={p!r}, margin={margin!r}, floor={floor!r}; needs p in [0, 1], margin in (0, 1)")
    return max(floor, math.ceil(round(9.0 * p * (1.0 - p) / margin**2, 6)))


def _check_counts(whose: str, n: float, bad: float) -> None:
    if not 0 <= bad <= n < math.inf:
        raise ValueError(f"{whose}: {bad!r} bad of {n!r} requests; needs 0 <= bad <= requests, finite")


def _margin(stable_rate: float, floor: float, share: float) -> float:
    if not (0.0 <= stable_rate <= 1.0 and 0.0 <= floor < 1.0):
        raise ValueError(f"stable_rate={stable_rate!r}, floor={floor!r}; both must be shares in [0, 1]")
    return max(floor, share * stable_rate)


def _clip(rate: float) -> float:
    return min(max(rate, RATE_LOW), RATE_HIGH)


def _alternatives(direction: Direction, margin: float) -> int:
    return len(_MULTIPLES[direction]) if margin else len(_RELATIVE_RISKS)


def _stable_rate(evidence: BlockEvidence) -> float | None:
    n = evidence.prior_n + evidence.stable_n
    return _clip((evidence.prior_bad + evidence.stable_bad) / n) if n else None


def _canary_rates(evidence: BlockEvidence, t_s: float) -> tuple[float, ...]:
    """Canary rates of the alternatives; at margin 0 "acceptable" means strictly better: the reciprocals."""
    if evidence.margin:
        return tuple(_clip(t_s + evidence.margin * multiple) for multiple in _MULTIPLES[evidence.direction])
    if evidence.direction == "worse":
        return tuple(_clip(t_s * risk) for risk in _RELATIVE_RISKS)
    return tuple(_clip(t_s / risk) for risk in _RELATIVE_RISKS)


def _log_factor(evidence: BlockEvidence, t_c: float, t_s: float, counts: tuple[float, float, float, float]) -> float:
    """Log e of one block for one alternative; 0 where clipping has put the alternative into the null."""
    excess = t_c - t_s - evidence.margin
    if (excess <= 0.0) if evidence.direction == "worse" else (excess >= 0.0):
        return 0.0
    n_c, k_c, n_s, k_s = counts
    a, b = nearest_null(t_c, t_s, evidence.margin, canary_n=n_c, stable_n=n_s)
    return (
        k_c * math.log(t_c / a)
        + (n_c - k_c) * (math.log1p(-t_c) - math.log1p(-a))
        + k_s * math.log(t_s / b)
        + (n_s - k_s) * (math.log1p(-t_s) - math.log1p(-b))
    )
