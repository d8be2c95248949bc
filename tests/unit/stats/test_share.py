from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.stats.share import log_e_value, update


def expectation(sizes: tuple[int, ...], rates: tuple[float, ...], share: float, margin: float) -> float:
    """E[e] after blocks of these sizes with these true probabilities, over every outcome."""
    weighted: list[tuple[float, tuple[float, ...]]] = [(1.0, ())]
    for drawn, rate in zip(sizes, rates, strict=True):
        weighted = [
            (chance * math.comb(drawn, hits) * rate**hits * (1 - rate) ** (drawn - hits), after)
            for chance, state in weighted
            for hits in range(drawn + 1)
            for after in [update(state, drawn, hits, share, margin)]
        ]
    return math.fsum(chance * math.exp(log_e_value(state)) for chance, state in weighted)


@given(
    sizes=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    share=st.sampled_from((0.0001, 0.05, 0.25, 0.5, 0.82, 0.95, 0.9999)),
    margin=st.sampled_from((0.0, 0.05, 0.2, 0.5)),
    where=st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)),
)
def test_on_the_null_the_expectation_is_at_most_one(
    sizes: tuple[int, int], share: float, margin: float, where: tuple[float, float]
) -> None:
    rates = tuple(min(share * (1 + margin * each), 1.0) for each in where)
    assert expectation(sizes, rates, share, margin) <= 1.0 + 1e-9


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.7])
@pytest.mark.parametrize("rate", [0.3, 1.38])
def test_beyond_the_null_it_grows(share: float, rate: float) -> None:
    assert expectation((150,), (share * rate,), share, 0.2) > 1.1


@pytest.mark.parametrize(
    ("share", "drawn", "hits"),
    [
        (0.05, 300, 0),
        (0.05, 400, 60),
        (0.25, 300, 30),
        (0.25, 300, 140),
        (0.5, 300, 60),
        (0.9, 300, 100),
        (0.7, 300, 299),
    ],
)
def test_a_share_that_is_off_is_found(share: float, drawn: int, hits: int) -> None:
    assert log_e_value(update((), drawn, hits, share, 0.2)) > math.log(1000)


@pytest.mark.parametrize("hits", [4_100, 5_000, 5_900])
def test_a_share_within_the_margin_is_not_however_long(hits: int) -> None:
    assert log_e_value(update((), 100_000, hits, 0.05, 0.2)) < math.log(2)


def test_a_fault_that_begins_late_is_found_nearly_as_fast() -> None:
    state: tuple[float, ...] = ()
    for _ in range(500):
        state = update(state, 1000, 50, 0.05, 0.2)
    blocks = 0
    while log_e_value(state) < math.log(1000):
        state, blocks = update(state, 100, 0, 0.05, 0.2), blocks + 1
    assert blocks <= 8


def test_an_empty_block_changes_nothing() -> None:
    assert update((), 0, 0, 0.05, 0.2) == ()
    assert log_e_value(()) == 0.0


@pytest.mark.parametrize(("drawn", "hits", "share", "margin"), [(1, 2, 0.5, 0.2), (1, 0, 0.0, 0.2), (1, 0, 0.5, 1.0)])
def test_what_cannot_be_is_refused(drawn: int, hits: int, share: float, margin: float) -> None:
    with pytest.raises(ValueError, match="impossible"):
        update((), drawn, hits, share, margin)
