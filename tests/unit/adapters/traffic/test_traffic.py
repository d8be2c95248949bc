"""The controller's hand on the traffic: intents in the state database, fenced; effects only as read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatewright.adapters.traffic.envoy import EnvoyTraffic, Options
from gatewright.domain.errors import LeaseLost
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import Phase, Rollout, RolloutPolicy
from gatewright.domain.routing import cluster_name
from gatewright.domain.share import ShareEvidence
from gatewright.effects.processes import ProcessIdentity
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.store.processes import Processes, ProcessRow
from gatewright.store.routes import Route, Routes
from gatewright.testing import FakeClock

NEW, OLD = (
    Artifact(uri="/new", digest="sha256:" + "a" * 64, size=1),
    Artifact(uri="/old", digest="sha256:" + "b" * 64, size=1),
)
ROLLOUT = Rollout(
    id="r1",
    model="toy",
    run="run",
    number=2,
    canary=NEW.digest,
    stable=OLD.digest,
    policy=RolloutPolicy(),
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    epoch=1,
)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(root=tmp_path, model="toy", database=Database(tmp_path / "state.db"), clock=FakeClock())


@pytest.fixture
def traffic(context: Context) -> EnvoyTraffic:
    prepared = EnvoyTraffic(Options(), context)
    prepared.prepare(ROLLOUT, NEW, OLD)
    return prepared


def route(context: Context) -> Route:
    found = Routes(context.database).get("toy")
    assert found is not None
    return found


def test_preparing_loads_both_arms_and_gives_the_canary_nothing(traffic: EnvoyTraffic, context: Context) -> None:
    found = route(context)
    assert (found.canary, found.stable, found.weight, found.lease_s) == (NEW.digest, OLD.digest, 0.0, 300.0)
    assert Routes(context.database).locate("toy", NEW.digest) == "/new"


def test_a_weight_is_renewed_each_time_and_revised_when_it_changes(traffic: EnvoyTraffic, context: Context) -> None:
    traffic.set_weight(ROLLOUT, 25.0)
    before = route(context)
    traffic.set_weight(ROLLOUT, 25.0)
    after = route(context)
    assert (after.weight, after.revision, after.renewals) == (25.0, before.revision, before.renewals + 1)


def test_an_older_epoch_changes_nothing(traffic: EnvoyTraffic, context: Context) -> None:
    traffic.set_weight(replace(ROLLOUT, epoch=2), 5.0)
    with pytest.raises(LeaseLost, match="epoch 1"):
        traffic.set_weight(ROLLOUT, 50.0)
    with pytest.raises(LeaseLost, match="epoch 1"):
        traffic.finish(replace(ROLLOUT, phase=Phase.PROMOTED))
    assert (route(context).weight, route(context).canary) == (5.0, NEW.digest)


def test_promoted_makes_the_canary_stable_and_keeps_the_old_one_warm(traffic: EnvoyTraffic, context: Context) -> None:
    traffic.finish(replace(ROLLOUT, phase=Phase.PROMOTED))
    found = route(context)
    assert (found.canary, found.stable, found.fallback) == (None, NEW.digest, OLD.digest)
    assert found.fallback_until == context.clock.now() + timedelta(days=1)
    assert traffic.state(ROLLOUT).settled


def test_what_a_person_has_taken_back_is_no_fallback(traffic: EnvoyTraffic, context: Context) -> None:
    traffic.finish(replace(ROLLOUT, phase=Phase.PROMOTED, restored_by="ada"))
    found = route(context)
    assert (found.canary, found.stable, found.fallback, found.fallback_until) == (None, NEW.digest, None, None)


def test_rolled_back_forgets_the_canary(traffic: EnvoyTraffic, context: Context) -> None:
    traffic.set_weight(ROLLOUT, 25.0)
    traffic.finish(replace(ROLLOUT, phase=Phase.ROLLED_BACK))
    found = route(context)
    assert (found.canary, found.stable, found.weight, found.digests) == (None, OLD.digest, 0.0, (OLD.digest,))


def test_a_rollout_that_was_followed_by_another_changes_nothing(traffic: EnvoyTraffic, context: Context) -> None:
    Routes(context.database).put(replace(route(context), rollout="r2", weight=0.0))
    traffic.set_weight(ROLLOUT, 50.0)
    traffic.finish(replace(ROLLOUT, phase=Phase.ROLLED_BACK))
    assert (route(context).rollout, route(context).weight, route(context).canary) == ("r2", 0.0, NEW.digest)
    assert not traffic.state(ROLLOUT).settled


def test_a_gateway_that_does_not_answer_is_told_and_is_no_weight(traffic: EnvoyTraffic, context: Context) -> None:
    row = ProcessRow(
        name=cluster_name(NEW.digest),
        identity=ProcessIdentity(pid=1, created=0.0),
        started_at=context.clock.now(),
        digest=NEW.digest,
        error="it crashed",
    )
    Processes(context.database, context.model).put(row)
    found = traffic.state(ROLLOUT)
    assert (found.weight, found.error) == (None, "the gateway is not up")
    assert found.canary is not None
    assert (found.canary.digest, found.canary.ready, found.canary.error) == (NEW.digest, False, "it crashed")
    assert found.stable is None


def test_a_weight_that_is_to_be_written_again_is_a_new_revision(traffic: EnvoyTraffic, context: Context) -> None:
    traffic.set_weight(ROLLOUT, 25.0)
    before = route(context)
    again = replace(ROLLOUT, share=ShareEvidence(weight=25.0, reapplied=1))
    traffic.set_weight(again, 25.0)
    traffic.set_weight(again, 25.0)
    assert (route(context).weight, route(context).revision) == (25.0, before.revision + 1)
