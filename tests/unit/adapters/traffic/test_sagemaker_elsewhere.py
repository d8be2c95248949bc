"""An endpoint is driven from any machine: what travels is the rollout's row, and the routes of a machine do not."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.domain.rollout import FULL, Phase
from gatewright.domain.routing import cluster_name
from gatewright.testing.courses import Course, next_course
from tests.fixtures.endpoint_site import EndpointSite
from tests.fixtures.endpoint_world import World

pytestmark = pytest.mark.xdist_group("sagemaker")
STATE = Path(".gatewright") / "state.db"


@pytest.fixture
def site(world: World) -> EndpointSite:
    return EndpointSite(world)


def fetched(source: EndpointSite, root: Path) -> EndpointSite:
    """The machine at `root` after it has fetched the shared state: its routes are those that it has written itself."""
    kept = routes(root) if (root / STATE).exists() else []
    (root / STATE).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.world.root / STATE, root / STATE)
    with sqlite3.connect(root / STATE) as connection:
        connection.execute("DELETE FROM routes")
        connection.execute("DELETE FROM arms")
        for row in kept:
            connection.execute(f"INSERT INTO routes VALUES ({', '.join('?' * len(row))})", row)
    connection.close()
    return EndpointSite(replace(source.world, root=root))


def elsewhere(site: EndpointSite) -> EndpointSite:
    """A machine that was never asked before."""
    return fetched(site, site.world.root / "elsewhere")


def deploy_first(site: EndpointSite) -> None:
    """The first deployment, and its route, are written here."""
    first = Course.begin(site, site.artifacts[0], None)
    first.prepare()
    first.promote()


def routes(root: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(root / STATE) as connection:
        found = connection.execute("SELECT * FROM routes").fetchall()
    connection.close()
    return found


def test_a_tick_from_a_fresh_clone_moves_the_weight(site: EndpointSite) -> None:
    here = next_course(site)
    here.prepare()
    here.move(Phase.PROGRESSING, 5.0)
    here.to(5.0)
    there = Course.resumed(elsewhere(site), here.rollout)
    assert there.to(25.0).weight == pytest.approx(25.0, abs=0.01)
    there.move(Phase.ROLLING_BACK, 0.0)
    assert there.to(0.0).weight == 0.0


def test_a_promotion_is_finished_by_a_fresh_clone(site: EndpointSite) -> None:
    here = next_course(site)
    here.prepare()
    here.move(Phase.PROMOTING, FULL)
    here.to(FULL)
    there = Course.resumed(elsewhere(site), here.rollout)
    assert there.state().settled is False
    assert there.promote().settled
    assert site.world.schedule() is None


def test_who_comes_later_tends_by_the_row_and_never_by_an_old_route(site: EndpointSite) -> None:
    deploy_first(site)
    there = elsewhere(site)
    second = Course.begin(there, *reversed(site.artifacts))
    second.prepare()
    second.promote()
    before = there.shares()
    behind = fetched(there, site.world.root)
    assert routes(behind.world.root), "the older machine has a route of its own"
    assert behind.world.traffic().tend() is None
    behind.settle()
    assert behind.shares() == before

    behind.world.clock.forward(second.rollout.policy.rollback_window.seconds + 86400 * 400)
    behind.settle()
    assert behind.world.weights() == {"two": 100.0}


def test_nothing_is_tended_while_a_rollout_is_open_elsewhere(site: EndpointSite) -> None:
    deploy_first(site)
    there = elsewhere(site)
    second = Course.begin(there, *reversed(site.artifacts))
    second.prepare()
    second.to(25.0)
    behind = fetched(there, site.world.root)
    before = behind.in_force()
    assert behind.world.traffic().tend() is None
    assert behind.in_force() == before


def test_weight_that_came_after_an_end_goes_back_before_the_next_rollout(site: EndpointSite) -> None:
    course = next_course(site)
    course.prepare()
    course.roll_back()
    site.world.server.joined(site.world.own, cluster_name(course.canary.digest), 25.0)  # by a controller that slept
    third = site.world.registered("three").artifact
    site.artifacts = (*site.artifacts, third)
    onward = Course.begin(site, third, course.stable)
    ready = onward.prepare()
    assert (ready.weight, site.world.weights().get("two", 0.0)) == (0.0, 0.0)


def test_weight_that_no_record_explains_is_refused_and_not_moved(site: EndpointSite) -> None:
    deploy_first(site)
    site.world.server.joined(site.world.own, cluster_name(site.artifacts[1].digest), 25.0)
    before = site.in_force()
    third = site.world.registered("three").artifact
    site.artifacts = (*site.artifacts, third)
    onward = Course.begin(site, third, site.artifacts[1])  # the registry's mark was moved by hand
    with pytest.raises(UnusableInput, match="gives traffic to"):
        onward.preparing(onward.driving, onward.rollout)
    assert site.in_force() == before
