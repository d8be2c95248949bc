"""The promises of port `Traffic` prove themselves: each is broken on purpose, and the suite says which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import Phase, Rollout, TrafficState
from gatewright.domain.routing import cluster_name
from gatewright.testing import FakeTraffic
from gatewright.testing.traffic import TrafficConformance
from tests.fixtures.traffic_sites import FakeSite

PROMISES = tuple(name.removeprefix("test_") for name in vars(TrafficConformance) if name.startswith("test_"))


class GivesAtOnce(FakeTraffic):
    """The canary gets its first share as soon as it is prepared."""

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        super().prepare(rollout, canary, stable)
        self._show(5.0, 0.0, settled=False)


class PreparesAnew(FakeTraffic):
    """Each preparation is a change."""

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        super().prepare(rollout, canary, stable)
        self.changes += 1


class NeedsStable(FakeTraffic):
    """A first deployment is not foreseen."""

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        if stable is None:
            raise WorldFailed("there is no stable arm", fix="deploy one")
        super().prepare(rollout, canary, stable)


class LeavesTheFirst(FakeTraffic):
    """A first deployment is never taken out: nothing else could serve."""

    def finish(self, rollout: Rollout) -> None:
        kept = self.canary
        super().finish(rollout)
        if rollout.stable is None and self.canary is None:
            self.canary, self.shown = kept, 100.0


class ServesAnother(FakeTraffic):
    """Ready is whatever runs."""

    def state(self, rollout: Rollout) -> TrafficState:
        state = super().state(rollout)
        return replace(state, canary=replace(state.canary, digest="sha256:0")) if state.canary else state


class InTens(FakeTraffic):
    """Weights in whole tens of per cent."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        super().set_weight(rollout, round(weight, -1))


class Restless(FakeTraffic):
    """Each order is a change."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        super().set_weight(rollout, weight)
        self.changes += 1


class KeepsOne(FakeTraffic):
    """One per cent stays, so that the canary is kept warm."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        super().set_weight(rollout, max(weight, 1.0))


class TellsWishes(FakeTraffic):
    """What was asked is told, not what is."""

    def state(self, rollout: Rollout) -> TrafficState:
        state = super().state(rollout)
        return replace(state, weight=self.weights[-1]) if self.weights and self.deaf else state


class AsksOnce(FakeTraffic):
    """The same order is not given twice, whatever became of it."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        if self.weights[-1:] != [weight]:
            super().set_weight(rollout, weight)


class Raises(FakeTraffic):
    """What cannot be read is raised."""

    def state(self, rollout: Rollout) -> TrafficState:
        if self.unreadable:
            raise WorldFailed(self.unreadable, fix="wait")
        return super().state(rollout)


class Remembers(FakeTraffic):
    """What cannot be read is what it was last."""

    def state(self, rollout: Rollout) -> TrafficState:
        return replace(super().state(rollout), weight=self.shown)


class Unfenced(FakeTraffic):
    """Who has lost the lease may still move the traffic."""

    def _fence(self, rollout: Rollout) -> None:
        """Nobody is refused."""


class FencesBySight(FakeTraffic):
    """Only an epoch that has come to the traffic is known, not that of the lease."""

    def _fence(self, rollout: Rollout) -> None:
        known, self.rollouts = self.rollouts, None
        super()._fence(rollout)
        self.rollouts = known


class Forgives(FakeTraffic):
    """What was condemned may serve."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        known, self.rollouts = self.rollouts, None
        super().set_weight(rollout, weight)
        self.rollouts = known


class RefusesTheWayBack(FakeTraffic):
    """A condemned canary is not even taken out."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        if self.rollouts and rollout.canary in self.rollouts.quarantined(rollout.model):
            raise LeaseLost("it is quarantined", fix="-")
        super().set_weight(rollout, weight)


class KnowsNoLater(FakeTraffic):
    """Whoever comes may drive."""

    def _followed(self, rollout: Rollout) -> bool:
        return False


class NeverDone(FakeTraffic):
    """The end is forgotten."""

    def finish(self, rollout: Rollout) -> None:
        super().finish(rollout)
        self.settled = rollout.stable is None


class DropsThePromoted(FakeTraffic):
    """Whatever has ended is taken out."""

    def finish(self, rollout: Rollout) -> None:
        super().finish(replace(rollout, phase=Phase.ROLLED_BACK))


class KeepsLoaded(FakeTraffic):
    """What was rolled back stays in memory."""

    def finish(self, rollout: Rollout) -> None:
        kept = self.canary
        super().finish(rollout)
        self.canary = kept


class FinishesAnew(FakeTraffic):
    """Each end is a change."""

    def finish(self, rollout: Rollout) -> None:
        super().finish(rollout)
        self.changes += 1


class ReopensTheEnd(FakeTraffic):
    """All traffic, asked for after the end, depends on a lease again."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        super().set_weight(rollout, weight)
        self.settled = False


class NoWayBack(FakeTraffic):
    """What has all traffic keeps it."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        if not self.settled:
            super().set_weight(rollout, weight)


class SharesByDigest(FakeTraffic):
    """Shares have names that nobody else has."""

    def shares(self) -> dict[str, float]:
        return self.by_digest()


class SharesOfWishes(FakeTraffic):
    """Who cannot be read has shares all the same."""

    def shares(self) -> dict[str, float]:
        return {cluster_name(digest): share for digest, share in self.by_digest().items()}


class NoCopies(FakeTraffic):
    """Copies are not asked for."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        super().set_weight(replace(rollout, mirror=0.0), weight)


class CopiesForEver(FakeTraffic):
    """Copies are not taken back."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        mirrored = self.mirrored
        super().set_weight(rollout, weight)
        self.mirrored = mirrored or self.mirrored


BUGS: dict[type[FakeTraffic], tuple[str, ...]] = {
    GivesAtOnce: ("preparing_gives_the_canary_nothing_and_leaves_stable_alone",),
    PreparesAnew: ("preparing_twice_is_preparing_once",),
    NeedsStable: ("a_first_deployment_has_no_stable_arm_and_ends_with_all_traffic",),
    LeavesTheFirst: ("a_first_deployment_that_is_rolled_back_leaves_nothing",),
    ServesAnother: ("preparing_gives_the_canary_nothing_and_leaves_stable_alone",),
    InTens: ("each_weight_is_read_back_by_another_process",),
    Restless: ("the_same_weight_again_changes_nothing",),
    KeepsOne: ("weight_that_is_taken_away_is_read_back_as_none_at_all",),
    TellsWishes: ("what_was_asked_is_not_told_before_it_is_done_and_is_done_when_asked_again",),
    AsksOnce: ("what_was_asked_is_not_told_before_it_is_done_and_is_done_when_asked_again",),
    Raises: ("what_cannot_be_read_is_told_and_not_raised",),
    Remembers: ("what_cannot_be_read_is_told_and_not_raised",),
    Unfenced: ("who_has_lost_the_lease_moves_nothing",),
    FencesBySight: ("who_has_lost_the_lease_moves_nothing",),
    Forgives: ("a_condemned_canary_gets_no_traffic_any_more",),
    RefusesTheWayBack: ("a_condemned_canary_gets_no_traffic_any_more",),
    KnowsNoLater: ("a_rollout_that_a_later_one_has_followed_moves_nothing",),
    NeverDone: (
        "promoted_makes_the_canary_the_stable_arm_of_the_next_rollout",
        "rolled_back_takes_the_canary_away_once",
    ),
    DropsThePromoted: ("promoted_makes_the_canary_the_stable_arm_of_the_next_rollout",),
    KeepsLoaded: ("rolled_back_takes_the_canary_away_once",),
    FinishesAnew: (
        "promoted_makes_the_canary_the_stable_arm_of_the_next_rollout",
        "rolled_back_takes_the_canary_away_once",
    ),
    ReopensTheEnd: ("all_traffic_asked_for_once_more_after_the_finish_changes_nothing",),
    NoWayBack: ("a_promotion_is_taken_back_before_it_was_recorded",),
    SharesByDigest: ("shares_are_told_by_cluster_also_outside_of_a_rollout",),
    SharesOfWishes: ("what_cannot_be_read_is_told_and_not_raised",),
    NoCopies: ("copies_are_read_back_and_answer_nobody",),
    CopiesForEver: ("copies_are_read_back_and_answer_nobody",),
}


def fails(promise: str, traffic: FakeTraffic, folder: Path) -> bool:
    """Whether the suite's test of this promise fails over this traffic."""
    with suppress(AssertionError, WorldFailed, pytest.fail.Exception):
        getattr(TrafficConformance(), f"test_{promise}")(FakeSite(folder, traffic))
        return False
    return True


def cases() -> Iterator[tuple[type[FakeTraffic], str]]:
    for bug, found in BUGS.items():
        for promise in found:
            yield bug, promise


@pytest.mark.parametrize(
    ("bug", "promise"), [pytest.param(*each, id=f"{each[0].__name__}-{each[1][:30]}") for each in cases()]
)
def test_a_broken_promise_is_found(bug: type[FakeTraffic], promise: str, tmp_path: Path) -> None:
    assert fails(promise, bug(), tmp_path)


def test_every_promise_is_broken_by_one_of_the_bugs() -> None:
    assert {promise for _, promise in cases()} == {*PROMISES}
