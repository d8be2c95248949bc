from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatewright.domain.errors import LeaseLost
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import Phase
from gatewright.store.database import Database
from gatewright.store.records import Event
from gatewright.store.rollouts import Rollouts
from gatewright.store.routes import Route, Routes
from tests.scenarios.rollout_story import CANARY, STABLE, begun

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ROUTE = Route(
    model="employment",
    rollout="r1",
    stable=STABLE,
    canary=CANARY,
    weight=5.0,
    epoch=2,
    revision=0,
    renewals=0,
    lease_s=300.0,
)
EVENT = Event(at=NOW, kind="started", run="run1", model="employment", why="because")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "state.db")


@pytest.fixture
def routes(database: Database) -> Routes:
    return Routes(database)


def test_a_route_is_read_back_as_it_was_written(routes: Routes) -> None:
    until = NOW + timedelta(hours=24)
    routes.put(replace(ROUTE, fallback="sha256:older", fallback_until=until))
    found = routes.get("employment")
    assert found == replace(ROUTE, fallback="sha256:older", fallback_until=until, revision=1, renewals=1)
    assert routes.all() == (found,)
    assert found.digests == (CANARY, STABLE, "sha256:older")
    assert routes.get("other") is None


def test_a_renewed_lease_is_no_new_revision(routes: Routes) -> None:
    routes.put(ROUTE)
    routes.put(replace(ROUTE, epoch=3))
    found = routes.get("employment")
    assert found is not None
    assert (found.revision, found.renewals, found.epoch) == (1, 2, 3)
    routes.put(replace(ROUTE, epoch=3, weight=25.0))
    assert routes.get("employment") == replace(found, weight=25.0, revision=2, renewals=3)


def test_an_outdated_epoch_is_refused(routes: Routes) -> None:
    routes.put(ROUTE)
    with pytest.raises(LeaseLost, match="epoch 1 of rollout r1 is outdated"):
        routes.put(replace(ROUTE, epoch=1, weight=50.0))
    assert routes.get("employment").weight == 5.0  # type: ignore[union-attr]


def test_who_has_lost_the_lease_is_refused_before_the_new_owner_has_written_anything(
    routes: Routes, database: Database
) -> None:
    rollouts = Rollouts(database)
    first = rollouts.lease(rollouts.start(begun(), EVENT), "ada", NOW, 60)
    routes.put(replace(ROUTE, epoch=first.epoch))
    rollouts.lease(first, "bob", NOW + timedelta(seconds=61), 60)
    with pytest.raises(LeaseLost, match="epoch 1 of rollout r1 is outdated, epoch 2 drives now"):
        routes.put(replace(ROUTE, epoch=first.epoch, weight=50.0))


def test_the_next_rollout_begins_with_epochs_of_its_own(routes: Routes) -> None:
    routes.put(ROUTE)
    routes.put(replace(ROUTE, rollout="r2", epoch=1))
    assert routes.get("employment").rollout == "r2"  # type: ignore[union-attr]


def test_a_rollout_that_a_later_one_has_followed_is_refused(routes: Routes, database: Database) -> None:
    rollouts = Rollouts(database)
    first = rollouts.lease(rollouts.start(begun(), EVENT), "ada", NOW, 60)
    rollouts.advance(first, replace(first, phase=Phase.PROMOTED, ticked_at=NOW), (), {}, ())
    rollouts.start(begun(id="r2", run="run2"), replace(EVENT, run="run2"))
    routes.put(replace(ROUTE, rollout="r1"))
    routes.put(replace(ROUTE, rollout="r2", epoch=1))
    with pytest.raises(LeaseLost, match="r1 of employment is over, r2 drives now"):
        routes.put(replace(ROUTE, rollout="r1", epoch=9))
    assert routes.get("employment").rollout == "r2"  # type: ignore[union-attr]


def test_a_quarantined_digest_gets_no_traffic(routes: Routes, database: Database) -> None:
    rollouts = Rollouts(database)
    first = rollouts.lease(rollouts.start(begun(), EVENT), "ada", NOW, 60)
    rollouts.advance(first, replace(first, phase=Phase.ROLLING_BACK, why="errors", ticked_at=NOW), (), {}, ())
    routes.put(replace(ROUTE, weight=0.0))
    with pytest.raises(LeaseLost, match="quarantined: errors"):
        routes.put(ROUTE)
    assert routes.get("employment").weight == 0.0  # type: ignore[union-attr]


def test_a_decision_to_roll_back_takes_the_weight_in_the_same_change(routes: Routes, database: Database) -> None:
    """Whoever decided may be killed before the effect, and a new supervisor reads the route."""
    rollouts = Rollouts(database)
    first = rollouts.lease(rollouts.start(begun(), EVENT), "ada", NOW, 60)
    routes.put(replace(ROUTE, epoch=first.epoch))
    going_on = rollouts.advance(first, replace(first, phase=Phase.PROGRESSING, ticked_at=NOW), (), {}, ())
    assert routes.get("employment").weight == 5.0  # type: ignore[union-attr]
    rollouts.advance(going_on, replace(going_on, phase=Phase.ROLLING_BACK, ticked_at=NOW), (), {}, ())
    found = routes.get("employment")
    assert found is not None
    assert (found.weight, found.revision, found.renewals) == (0.0, 2, 1)


def test_arms_are_located_by_digest(routes: Routes) -> None:
    routes.put(
        ROUTE, (Artifact(uri="old place", digest=CANARY, size=1), Artifact(uri="models/old", digest=STABLE, size=1))
    )
    routes.put(ROUTE, (Artifact(uri="models/new", digest=CANARY, size=1),))
    assert (routes.locate("employment", CANARY), routes.locate("employment", STABLE)) == ("models/new", "models/old")
    assert routes.locate("employment", "sha256:other") is None
