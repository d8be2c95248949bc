"""A claim is one row: taken once, taken over from the dead, confirmed by its owner, tried again a few times."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatewright.domain.claim import Claim, Started, Subject
from gatewright.domain.errors import LeaseLost, StartFailed
from gatewright.rules.watching import ATTEMPTS, LEASE_S
from gatewright.store.claims import Claims
from gatewright.store.database import Database
from gatewright.store.pins import Pins, Seen
from tests.fixtures.versions import version

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SUBJECT = Subject(model="toy", data_digest="sha256:a", code_digest="b")
ME, OTHER = "elsewhere:1", "elsewhere:2"


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[Claims]:
    database = Database(tmp_path / "state.db")
    yield Claims(database)
    database.close()


def take(claims: Claims, owner: str = ME, subject: Subject = SUBJECT) -> Claim | None:
    return claims.take(subject, data="people@x", reason="new", start="local", owner=owner, now=NOW)


def taken(claims: Claims, owner: str = ME) -> Claim:
    claim = take(claims, owner)
    assert claim is not None
    return claim


def test_only_the_first_gets_it_and_what_is_kept_comes_back(claims: Claims) -> None:
    claim = taken(claims)
    assert take(claims, OTHER) is None
    assert take(claims) is None
    assert claims.of(SUBJECT) == claim
    assert claims.all() == claims.all("toy") == (claim,)
    assert claims.all("other") == ()


def test_another_process_sees_it(claims: Claims, tmp_path: Path) -> None:
    claim = taken(claims)
    second = Database(tmp_path / "state.db")
    assert Claims(second).of(SUBJECT) == claim
    assert take(Claims(second), OTHER) is None
    second.close()


def test_a_lease_holds_until_its_end(claims: Claims) -> None:
    claim = taken(claims)
    assert claims.take_over(claim, OTHER, NOW + timedelta(seconds=LEASE_S - 1)) is None
    later = claims.take_over(claim, OTHER, NOW + timedelta(seconds=LEASE_S))
    assert later is not None
    assert (later.owner, later.epoch, later.run) == (OTHER, 2, claim.run)


def test_a_dead_process_of_this_machine_holds_nothing_and_a_living_one_does(claims: Claims) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    dead = taken(claims, f"{socket.gethostname()}:{child}")
    assert claims.take_over(dead, f"{socket.gethostname()}:{os.getpid()}", NOW) is not None
    assert claims.take_over(dead, OTHER, NOW) is None


def test_who_was_taken_over_from_confirms_nothing(claims: Claims) -> None:
    first = taken(claims)
    second = claims.take_over(first, OTHER, NOW + timedelta(hours=1))
    assert second is not None
    for ending in (
        lambda: claims.confirm(first, Started(what="x")),
        lambda: claims.fail(first, StartFailed("x"), NOW),
        lambda: claims.postpone(first, "x", NOW),
        lambda: claims.overtake(first, "x"),
    ):
        with pytest.raises(LeaseLost):
            ending()
    claims.confirm(second, Started(what="started", place="there"))
    found = claims.of(SUBJECT)
    assert found is not None
    assert (found.state, found.outcome, found.place) == ("started", "started", "there")
    assert claims.take_over(found, ME, NOW + timedelta(days=1)) is None


def test_a_start_that_may_succeed_later_is_tried_a_few_times(claims: Claims) -> None:
    claim, now = taken(claims), NOW
    for attempt in range(1, ATTEMPTS + 1):
        state = claims.fail(claim, StartFailed("down", again=True, after_s=100), now)
        found = claims.of(SUBJECT)
        assert found is not None
        assert (found.attempts, found.outcome) == (attempt, "down")
        if attempt == ATTEMPTS:
            break
        assert state == "claimed"
        assert found.not_before - now >= timedelta(seconds=100)
        assert claims.take_over(found, ME, found.not_before - timedelta(seconds=1)) is None
        now = found.not_before
        again = claims.take_over(found, OTHER, now)
        assert again is not None
        claim = again
    assert (state, found.state) == ("failed", "failed")


def test_one_that_cannot_succeed_is_not_until_somebody_says_so(claims: Claims) -> None:
    claim = taken(claims)
    assert claims.fail(claim, StartFailed("401"), NOW) == "failed"
    assert claims.take_over(claim, ME, NOW + timedelta(days=1)) is None
    assert (claims.retry("other", NOW), claims.retry("toy", NOW)) == (0, 1)
    again = claims.take_over(claim, ME, NOW)
    assert again is not None
    assert (again.state, again.attempts, again.run) == ("claimed", 0, claim.run)


def test_why_nothing_starts_is_kept_once(claims: Claims) -> None:
    noted = {"data": "people@x", "owner": ME, "now": NOW}
    assert claims.note(SUBJECT, "nothing", reason="a rewrite", **noted)  # type: ignore[arg-type]
    assert not claims.note(SUBJECT, "blocked", reason="other", **noted)  # type: ignore[arg-type]
    assert take(claims) is None
    (found,) = claims.all()
    assert (found.state, found.reason, found.run) == ("nothing", "a rewrite", "")


def test_pins_are_kept_by_name_role_and_place(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    pins, people = Pins(database), version("a")
    assert pins.get(people) is None
    pins.put(people, "1", whole=True, now=NOW)
    pins.put(people, "2", whole=False, now=NOW)
    assert pins.get(people) == Seen(pin="2", version=people.version, whole=False)
    assert pins.get(version("a", uri="elsewhere")) is None
    assert pins.get(version("a", role="eval")) is None
    database.close()
