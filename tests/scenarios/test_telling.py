"""People are told: after the effects, at least once, once each, and never in the way of a rollback."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.documents import canonical_json
from gatewright.domain.errors import WorldFailed
from gatewright.domain.notice import Notice
from gatewright.domain.rollout import Phase
from gatewright.engine import telling
from gatewright.engine.controller import Controller
from gatewright.ports import Addressee
from gatewright.store.notices import PAUSES_S
from gatewright.store.records import Event
from gatewright.testing import FakeNotifier, Silent
from tests.scenarios.controlled import World
from tests.scenarios.faults import in_phase, look


def told_by(world: World, *events: str) -> FakeNotifier:
    """A pager that hears of this rollout from now on."""
    pager = FakeNotifier()
    notifiers = {**world.workspace.notifiers, f"pager {len(events)}": Addressee(notifier=pager, events=events)}
    world.workspace = replace(world.workspace, notifiers=notifiers)
    return pager


def kinds(pager: FakeNotifier) -> list[str]:
    return [notice.kind for notice in pager.heard]


@pytest.fixture
def progressing(memory: Path) -> World:
    return in_phase(memory, Phase.PROGRESSING)


def test_a_promotion_is_told_when_it_is_recorded(progressing: World) -> None:
    pager = told_by(progressing)
    progressing.until(Phase.PROMOTED)
    (notice,) = pager.heard
    assert (notice.kind, notice.rollout, notice.version, notice.weight) == ("promoted", "r1", 2, 100.0)
    assert notice.text == "toy version 2 was promoted at 100 %: all traffic is on the new version, read back"


def test_a_rollback_is_told_when_it_is_decided_and_when_it_has_ended(progressing: World) -> None:
    pager = told_by(progressing)
    progressing.until(Phase.ROLLED_BACK, bad=40)
    assert kinds(pager) == ["rolling_back", "rolled_back"]
    assert "errors: the canary fails" in pager.heard[0].why


def test_only_what_was_asked_for_is_told(progressing: World) -> None:
    pager, picky = told_by(progressing), told_by(progressing, "rolled_back")
    progressing.say("pause")
    progressing.tick()
    progressing.say("abort")
    progressing.until(Phase.ROLLED_BACK)
    assert kinds(pager) == ["paused", "rolling_back", "rolled_back"]
    assert kinds(picky) == ["rolled_back"]
    assert pager.heard[0].actor == "ada"


def test_troubles_that_last_are_told_once(progressing: World) -> None:
    policy = replace(
        progressing.rollout.policy, blind_after=replace(progressing.rollout.policy.blind_after, seconds=900)
    )
    slow = replace(policy, tick=replace(policy.tick, seconds=60.0))
    with progressing.workspace.database.transaction("test") as connection:
        state = canonical_json(replace(progressing.rollout, policy=slow)).decode()
        connection.execute("UPDATE rollouts SET state = ?", (state,))
    pager = told_by(progressing)
    progressing.metrics.error = "the log is gone"
    for _ in range(7):
        progressing.clock.forward(60.0)
        progressing.tick()
    assert kinds(pager) == ["blind"]
    assert "nothing could be seen for 3" in pager.heard[0].why
    assert "the log is gone" in pager.heard[0].why
    progressing.metrics.error = None
    assert progressing.tick().alerts == ()
    progressing.traffic.deaf, progressing.traffic.shown = True, 10.0
    for _ in range(3):
        progressing.clock.forward(60.0)
        progressing.tick()
    assert kinds(pager) == ["blind", "weight"]
    assert "the traffic shows 10 % instead of 50 %" in pager.heard[-1].text


def test_a_stable_version_that_is_down_and_a_registry_that_is_gone(memory: Path) -> None:
    world = in_phase(memory, Phase.PROMOTING)
    pager = told_by(world)
    world.traffic.stable_error, world.traffic.stable_ready = "it ended 3 times", False
    world.registry.down = "answered 503"
    for _ in range(3):
        look(world)
    assert kinds(pager) == ["stable", "registry"]
    assert "stable does not run: it ended 3 times" in pager.heard[0].text


def test_what_was_not_taken_is_told_again_later_and_only_so_often(progressing: World) -> None:
    pager = told_by(progressing)
    pager.error = "503 from the pager"
    progressing.say("pause")
    progressing.tick()
    (missed,) = progressing.workspace.notices.undelivered()
    assert (missed.tries, missed.error, missed.given_up) == (1, "503 from the pager", False)
    for pause in PAUSES_S:
        progressing.clock.forward(pause)
        progressing.tick()
    (missed,) = progressing.workspace.notices.undelivered()
    assert (missed.tries, missed.given_up) == (len(PAUSES_S) + 1, True)
    pager.error = None
    progressing.clock.forward(1e6)
    progressing.tick()
    assert pager.heard == []


def test_a_pager_that_works_again_hears_it_once(progressing: World) -> None:
    pager = told_by(progressing)
    pager.error = "503"
    progressing.say("pause")
    progressing.tick()
    pager.error = None
    for _ in range(5):
        progressing.tick()
    assert kinds(pager) == ["paused"]
    assert progressing.workspace.notices.undelivered() == ()


def test_a_crash_before_it_was_told_loses_nothing(progressing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    pager = told_by(progressing)
    progressing.say("pause")
    with monkeypatch.context() as patched:
        patched.setattr("gatewright.engine.controller.tell_due", killed)
        with pytest.raises(Killed):
            progressing.tick()
    assert pager.heard == []
    progressing.tick()
    assert kinds(pager) == ["paused"]


def test_a_pager_that_hangs_holds_up_neither_the_rollback_nor_the_next_look(
    progressing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "LIMIT_S", 0.05)
    free, shown = threading.Event(), []

    class Hanging(FakeNotifier):
        def tell(self, notice: Notice) -> None:
            shown.append(progressing.traffic.shown)
            free.wait(30)

    progressing.workspace = replace(progressing.workspace, notifiers={"pager": Addressee(notifier=Hanging())})
    progressing.say("abort")
    try:
        assert progressing.tick().phase is Phase.ROLLING_BACK
        assert progressing.tick().phase is Phase.ROLLED_BACK
    finally:
        free.set()
    assert shown[0] == 0.0, "told before the traffic was back"
    assert {missed.error for missed in progressing.workspace.notices.undelivered()} == {"no answer within 0 s"}


def test_a_router_that_is_down_does_not_keep_people_from_hearing_of_it(progressing: World) -> None:
    pager = told_by(progressing)
    progressing.say("abort")
    progressing.traffic.down = "connection refused"
    with pytest.raises(WorldFailed, match="connection refused"):
        progressing.tick()
    assert kinds(pager) == ["rolling_back"]


def test_the_last_ones_are_tried_again_before_the_process_ends(progressing: World) -> None:
    pager, progress = told_by(progressing), Silent()

    class Flaky(FakeNotifier):
        def tell(self, notice: Notice) -> None:
            tries.append(notice.id)
            self.error = None if len(tries) > 2 else "503"
            super().tell(notice)

    tries: list[str] = []

    flaky = Flaky()
    progressing.workspace = replace(
        progressing.workspace,
        notifiers={"flaky": Addressee(notifier=flaky, events=("promoted",)), **progressing.workspace.notifiers},
    )
    progressing.until(Phase.PROMOTING)
    Controller(progressing.workspace, progress).drive(progressing.rollout, until=(Phase.PROMOTED,))
    assert kinds(pager) == kinds(flaky) == ["promoted"]
    assert any("flaky was not told that toy version 2 was promoted" in line for line in progress.told)


def test_progress_is_told_only_to_who_asks_for_it(memory: Path) -> None:
    world = in_phase(memory, Phase.PENDING)
    board, pager = told_by(world, "progress", "promoted"), told_by(world)
    world.until(Phase.PROMOTED)
    told = [(notice.kind, notice.weight) for notice in board.heard]
    assert told[0][0] == "progress"
    assert told[-1] == ("promoted", 100.0)
    steps = world.rollout.policy.steps
    assert [weight for kind, weight in told if kind == "progress"][: len(steps)] == [step.weight for step in steps]
    assert kinds(pager) == ["promoted"]


def test_a_notice_names_the_commit_of_the_version(progressing: World) -> None:
    pager, at = told_by(progressing), progressing.workspace.clock.now()
    run = progressing.workspace.runs.get(progressing.rollout.run)
    progressing.workspace.records.append(
        Event(at=at, kind="started", run=run.id, model="toy", why="", details={"commit": "c0ffee"})
    )
    progressing.say("pause")
    progressing.tick()
    (run.path / "lock.json").write_text("edited", encoding="utf-8")
    progressing.say("resume")
    progressing.until(Phase.PROGRESSING)
    progressing.say("pause")
    progressing.tick()
    assert [notice.commit for notice in pager.heard] == ["no-git", "c0ffee"], "a broken lock keeps nobody up"
