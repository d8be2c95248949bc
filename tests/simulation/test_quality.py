"""Quality by labels that come late, and prediction drift: error rates and speed, with fixed seeds (-s prints them)."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace

import numpy as np

from gatewright.domain.evidence import Block, BlockEvidence, Cells
from gatewright.domain.rollout import DriftMargins, QualityMargins
from gatewright.stats import drift, sequential

ALPHA_QUALITY = 0.01 * 0.3
ALPHA_DRIFT = 0.01 * 0.1
MARGINS = QualityMargins()
DRIFT = DriftMargins()
# Windows of ten minutes: an hour at 5 %, two at 25 %, two at 50 %, and how often an answer is wrong meanwhile.
WEIGHTS = [0.05] * 6 + [0.25] * 12 + [0.5] * 12
BASE = np.linspace(0.08, 0.2, len(WEIGHTS)).tolist()
# The share of labels by the window in which they come: complaints about wrong answers are faster.
RIGHT_AFTER = np.array([0.1, 0.2, 0.3, 0.2, 0.1, 0.1])
WRONG_AFTER = np.array([0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
PER_WINDOW = 1200  # labelled answers: 2 a second


@dataclass(frozen=True)
class Labels:
    """Labels of one arm, by window of arrival and window of the label after it: all, and the wrong ones."""

    n: np.ndarray
    bad: np.ndarray


def labels(rng: np.random.Generator, answers: list[int], wrong: list[float]) -> Labels:
    bad = rng.binomial(answers, wrong)
    late_bad = np.array([rng.multinomial(count, WRONG_AFTER) for count in bad])
    late_good = np.array([rng.multinomial(count, RIGHT_AFTER) for count in np.array(answers) - bad])
    return Labels(n=late_bad + late_good, bad=late_bad)


def climb(seed: int, excess: float) -> tuple[Labels, Labels]:
    rng = np.random.default_rng([31, seed])
    canary = labels(rng, [round(PER_WINDOW * weight) for weight in WEIGHTS], [rate + excess for rate in BASE])
    return canary, labels(rng, [round(PER_WINDOW * (1 - weight)) for weight in WEIGHTS], BASE)


def start() -> BlockEvidence:
    return sequential.start("worse", MARGINS.rollback_margin, 160, 2000)


def by_arrival_and_age(canary: Labels, stable: Labels) -> list[Block]:
    """The blocks that a rollout sees, in the order in which the labels come."""
    windows, ages = canary.n.shape
    cells = sorted(((at, after) for at in range(windows) for after in range(ages)), key=sum)
    return [
        Block(
            canary_n=int(canary.n[cell]),
            canary_bad=int(canary.bad[cell]),
            stable_n=int(stable.n[cell]),
            stable_bad=int(stable.bad[cell]),
        )
        for cell in cells
    ]


def by_label_time_alone(canary: Labels, stable: Labels) -> list[Block]:
    """What comes in one window, whenever its requests arrived and under whatever weight."""
    windows, ages = canary.n.shape
    blocks = []
    for now in range(windows + ages):
        cells = [(now - after, after) for after in range(ages) if 0 <= now - after < windows]
        if cells:
            counts = [int(sum(part[cell] for cell in cells)) for part in (canary.n, canary.bad, stable.n, stable.bad)]
            blocks.append(Block(canary_n=counts[0], canary_bad=counts[1], stable_n=counts[2], stable_bad=counts[3]))
    return blocks


def alarmed(blocks: list[Block]) -> bool:
    evidence = start()
    for block in blocks:
        evidence = sequential.update(evidence, block)
    return sequential.alarmed(evidence, ALPHA_QUALITY)


def limit(alpha: float, rollouts: int) -> float:
    """alpha and three standard errors of the simulation."""
    return alpha + 3 * math.sqrt(alpha * (1 - alpha) / rollouts)


def test_equal_answers_are_not_rolled_back_by_late_labels_under_a_moving_base_rate() -> None:
    rollouts = 300
    share = sum(alarmed(by_arrival_and_age(*climb(seed, 0.0))) for seed in range(rollouts)) / rollouts
    print(f"A/A, late labels, 8 -> 20 % wrong along the climb: {share:.4f} false rollbacks of {rollouts}")
    assert share <= limit(ALPHA_QUALITY, rollouts)


def test_blocks_by_the_time_of_the_label_alone_would_roll_equal_answers_back() -> None:
    rollouts = 100
    share = sum(alarmed(by_label_time_alone(*climb(seed, 0.0))) for seed in range(rollouts)) / rollouts
    print(f"the same, blocks keyed by the time of the label alone: {share:.4f} false rollbacks of {rollouts}")
    assert share > 0.1


def test_worse_answers_are_found_by_the_same_late_labels() -> None:
    found = sum(alarmed(by_arrival_and_age(*climb(seed, 0.06))) for seed in range(40))
    print(f"six points worse: {found} of 40 rolled back")
    assert found >= 38


def minutes_until(seed: int, right: tuple[float, float]) -> int:
    """200 requests/s, 5 % to the canary, blocks of a minute, every answer labelled at once."""
    rng, evidence = np.random.default_rng([37, seed]), start()
    for minute in range(1, 61):
        bad_c, bad_s = int(rng.binomial(600, 1 - right[0])), int(rng.binomial(11_400, 1 - right[1]))
        block = Block(canary_n=600, canary_bad=bad_c, stable_n=11_400, stable_bad=bad_s)
        evidence = sequential.update(evidence, block)
        if sequential.alarmed(evidence, ALPHA_QUALITY):
            return minute
    return 61


def test_two_points_less_quality_are_found_within_eleven_minutes() -> None:
    median = statistics.median(minutes_until(seed, (0.90, 0.92)) for seed in range(1000))
    print(f"quality 92 -> 90 %, 200 requests/s, 5 %: median {median:g} min of labelled traffic")
    assert median <= 11


def drifts(seed: int, canary: list[float], stable: list[float], margin: float, blocks: int) -> int:
    """The block of ten seconds at which drift is found at 200 requests/s and 5 %; more than `blocks`: not at all."""
    rng = np.random.default_rng([41, seed])
    cells = Cells(classes=False, points=tuple(range(1, len(stable))))
    evidence = drift.start(cells, margin, rng.multinomial(2000, stable).tolist())
    for number in range(1, blocks + 1):
        counts = rng.multinomial(100, canary).tolist(), rng.multinomial(1900, stable).tolist()
        evidence = drift.update(evidence, cells, *counts)
        if drift.alarmed(evidence, ALPHA_DRIFT):
            return number
    return blocks + 1


def test_equal_predictions_and_those_at_the_margin_do_not_drift() -> None:
    tenths, rollouts = [0.1] * 10, 60
    equal = sum(drifts(seed, tenths, tenths, DRIFT.pause_margin, 60) <= 60 for seed in range(rollouts)) / rollouts
    # Every cut but the outermost is moved by nearly the margin itself.
    moved = [0.05, *[0.1] * 8, 0.15]
    edge = sum(drifts(seed, moved, tenths, DRIFT.pause_margin, 60) <= 60 for seed in range(rollouts)) / rollouts
    print(f"drift: equal predictions {equal:.4f}, exactly at the margin {edge:.4f} false pauses of {rollouts}")
    assert equal <= limit(ALPHA_DRIFT, rollouts)
    assert edge <= limit(ALPHA_DRIFT, rollouts)


def test_a_shift_of_twelve_points_pauses_within_minutes_and_one_of_thirty_rolls_back() -> None:
    tenths = [0.1] * 10
    pause = statistics.median(
        drifts(seed, [0.0, 0.08, *[0.1] * 6, 0.12, 0.2], tenths, DRIFT.pause_margin, 200) for seed in range(15)
    )
    far = [0.0, 0.0, 0.0, *[0.1] * 6, 0.4]
    back = statistics.median(drifts(seed, far, tenths, DRIFT.rollback_margin, 200) for seed in range(15))
    print(f"drift: 12 points pause after {pause / 6:.1f} min, 30 points roll back after {back / 6:.1f} min (medians)")
    assert pause <= 60
    assert back <= 60


def test_the_margins_are_those_of_the_pages() -> None:
    assert (MARGINS.rollback_margin, MARGINS.promote_margin) == (0.005, 0.02)
    assert (DRIFT.pause_margin, DRIFT.rollback_margin) == (0.05, 0.2)
    assert replace(MARGINS, tolerance=0.0) == MARGINS
