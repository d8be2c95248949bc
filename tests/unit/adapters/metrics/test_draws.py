"""Draws of arms: each user once, within bounded memory, and no user's arm decides who is remembered."""

from __future__ import annotations

import random

from gatewright.adapters.metrics.draws import MOST_USERS, Drawn, Users, count


def request(user: str | None, canary: bool = False, at: float = 0.0) -> Drawn:
    return Drawn(at=at, weight=5.0, user=user, canary=canary)


def test_of_a_users_requests_the_first_is_a_draw() -> None:
    seen, users = count([request("a", True), request("b"), request("a", True)], Users(), "5")
    assert [(block.drawn, block.canary) for block in seen] == [(2, 1)]
    again, users = count([request("a", True), request("c", at=10.0)], users, "5")
    assert [(block.at, block.drawn, block.canary) for block in again] == [(10.0, 1, 0)]
    assert len(users.seen) == 3


def test_each_request_of_nobody_is_a_draw() -> None:
    (seen,), users = count([request(None, True), request(None), request(None)], Users(), "5")
    assert (seen.drawn, seen.canary, users.seen) == (3, 1, ())


def test_another_era_forgets_who_was_seen() -> None:
    _, users = count([request("a")], Users(), "5|0")
    (seen,), _ = count([request("a")], users, "25|0")
    assert seen.drawn == 1


def test_of_many_users_a_sample_is_counted_whose_share_is_that_of_all() -> None:
    rng = random.Random(7)
    users, drawn, canary = Users(), 0, 0
    for _ in range(100):
        seen, users = count([request(f"user-{rng.random()}", rng.random() < 0.25) for _ in range(300)], users, "25")
        drawn += sum(block.drawn for block in seen)
        canary += sum(block.canary for block in seen)
    assert len(users.seen) <= MOST_USERS
    assert 1000 < drawn < 5000
    assert abs(canary / drawn - 0.25) < 0.04


def test_who_was_counted_is_never_counted_again_after_the_sample_shrank() -> None:
    names = [f"user-{number}" for number in range(5000)]
    first, users = count(map(request, names), Users(), "25")
    again, _ = count(map(request, names), users, "25")
    assert sum(block.drawn for block in first) > MOST_USERS
    assert again == ()
