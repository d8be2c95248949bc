"""How often the statistical gates are wrong: false alarms when nothing changed, and drops that they find.

Every figure is printed (`pytest -s`), and stands in docs/how-gates-decide.md.
"""

from __future__ import annotations

from collections import Counter
from math import sqrt

import numpy as np
import pytest

from gatewright.domain.gate import FairnessGate, OverallGate, SliceGate, Verdict
from gatewright.rules.gates.fairness import judge_fairness
from gatewright.rules.gates.overall import judge_overall
from gatewright.rules.gates.slices import judge_slices
from gatewright.stats.multiplicity import holm
from gatewright.stats.paired import mcnemar_midp
from gatewright.stats.power import mcnemar_power
from tests.fixtures.cells import Population

REPLICATES = 2000
PROMISE = 0.05
SLICE_ROWS, SLICES, DROP = 949, 50, 0.03


def failing(population: Population, replicates: int, seed: int) -> Counter[str]:
    """How many of the replicates each gate fails, and how many any of them does."""
    rng = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for number in range(replicates):
        report = population.draw(rng)
        results = (
            judge_overall(OverallGate(), report, seed=number),
            judge_slices(SliceGate(), report, seed=number),
            judge_fairness(FairnessGate(), report, seed=number),
        )
        failed = [result.gate for result in results if result.verdict is Verdict.FAIL]
        found.update(failed)
        found["any"] += bool(failed)
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", [1_000, 10_000, 100_000])
@pytest.mark.parametrize(
    "disagreement", [0.10, pytest.param(0.04, marks=pytest.mark.slow), pytest.param(0.16, marks=pytest.mark.slow)]
)
def test_a_candidate_that_is_no_different_is_failed_in_at_most_five_per_cent(rows: int, disagreement: float) -> None:
    """50 slices, two fairness attributes; the latency gate never fails here (2 ms against 5 s)."""
    population = Population(rows=rows, disagreement=disagreement)
    found = failing(population, REPLICATES, seed=rows)
    shares = {gate: found[gate] / REPLICATES for gate in ("overall", "slices", "fairness", "any")}
    print(f"\nA/A, {rows:,} rows, disagreement {disagreement:.0%}:", shares)
    assert shares["any"] <= PROMISE
    assert shares["any"] >= max(shares["overall"], shares["slices"], shares["fairness"])


def naive_failing(population: Population, replicates: int, seed: int) -> dict[str, float]:
    """How often rules that people write themselves fail some slice of the same population, beside mid-p with Holm."""
    rng = np.random.default_rng(seed)
    sizes = np.maximum(np.rint(population.sizes() * population.rows), 1).astype(np.int64)
    worse, better, _ = rng.multinomial(
        sizes, [population.disagreement / 2] * 2 + [1.0 - population.disagreement], size=(replicates, sizes.size)
    ).transpose(2, 0, 1)
    eligible = sizes >= 100
    p = mcnemar_midp(worse, better)[:, eligible]
    return {
        "below baseline - 0.04": float(((worse - better) / sizes > 0.04).any(axis=1).mean()),
        "uncorrected McNemar .05": float((p < 0.05).any(axis=1).mean()),
        "Holm .05": float((holm(p) < 0.05).any(axis=1).mean()),
    }


@pytest.mark.parametrize("rows", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("disagreement", [0.04, 0.10, 0.16])
def test_naive_rules_fail_a_candidate_that_is_no_different(rows: int, disagreement: float) -> None:
    """What the slice gate is instead of: without a test, or without a correction for many slices."""
    found = naive_failing(Population(rows=rows, disagreement=disagreement), REPLICATES, seed=rows)
    print(f"\nnaive A/A, {rows:,} rows, disagreement {disagreement:.0%}:", found)
    assert max(found["below baseline - 0.04"], found["uncorrected McNemar .05"]) > 10 * PROMISE
    assert found["Holm .05"] <= PROMISE + 3 * sqrt(PROMISE * (1 - PROMISE) / REPLICATES)


def found_share(disagreement: float, alpha: float, replicates: int, seed: int) -> float:
    """How often a drop of 3 points in a slice of 949 rows is called by name, among 50 slices of 100,000 rows."""
    population = Population(rows=100_000, slices=SLICES, disagreement=disagreement)
    index = int(np.argmin(np.abs(population.sizes() * population.rows - SLICE_ROWS)))
    dropping = Population(
        rows=population.rows,
        slices=SLICES,
        groups=(1,),
        disagreement=disagreement,
        drop=(index, DROP),
        fixed=(index, SLICE_ROWS),
    )
    rng = np.random.default_rng(seed)
    gate = SliceGate(alpha=alpha)
    hits = [f"slice={index}" in judge_slices(gate, dropping.draw(rng)).evidence["failed"] for _ in range(replicates)]
    return float(np.mean(hits))


@pytest.mark.parametrize(
    ("disagreement", "alpha", "published"),
    [(0.04, 0.05, 0.683), (0.10, 0.05, 0.305), (0.04, 0.025, None), (0.10, 0.025, None)],
)
def test_a_drop_of_three_points_in_one_slice_is_found(
    disagreement: float, alpha: float, published: float | None
) -> None:
    """`published`: the design's figure at alpha .05. Holm's first step divides alpha by the eligible slices."""
    replicates = 1500
    found = found_share(disagreement, alpha, replicates, seed=7)
    exact = mcnemar_power(SLICE_ROWS, disagreement + DROP, DROP, alpha / SLICES)
    print(f"\nfound, disagreement {disagreement:.0%}, alpha {alpha}: {found:.3f} (exact with Bonferroni {exact:.3f})")
    error = 3 * sqrt(exact * (1 - exact) / replicates)
    assert abs(found - exact) <= error + 0.015, "Holm's correction is Bonferroni's at its first step"
    if published is not None:
        assert abs(found - published) <= error


def test_what_is_not_tested_is_never_called_passed() -> None:
    """At 1,000 rows nearly every slice is too small: the gate says so in every replicate."""
    rng = np.random.default_rng(3)
    population = Population(rows=1_000, disagreement=0.04)
    verdicts = Counter(judge_slices(SliceGate(), population.draw(rng)).verdict for _ in range(200))
    assert verdicts == {Verdict.INCONCLUSIVE: 200}
