"""Predictions and labels as evidence: which block each belongs to, and each exactly once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewright.adapters.metrics.access_log import AccessLog, Options
from gatewright.adapters.metrics.live import LiveMetrics
from gatewright.domain.duration import Duration
from gatewright.domain.evidence import History, Look, Losses, PastSlice, PastSlices
from gatewright.domain.feedback import Label
from gatewright.domain.rollout import (
    Breaker,
    DriftMargins,
    LiveSlice,
    Phase,
    QualityMargins,
    Rollout,
    RolloutPolicy,
)
from gatewright.domain.shadow import Shadow
from gatewright.effects.segments import Segments
from gatewright.ports import Context
from gatewright.rules import evidence, live_slices
from gatewright.rules.drift import begin
from gatewright.stats import betting
from gatewright.store.asked_slices import asked
from gatewright.store.database import Database
from gatewright.store.feedback import Feedback
from gatewright.store.prediction_log import log_folder
from gatewright.testing import FakeClock

NEW, OLD = "sha256:" + "a" * 64, "sha256:" + "b" * 64
START = 1_800_000_000.0
ROLLOUT = Rollout(
    id="r1",
    model="toy",
    run="run",
    number=2,
    canary=NEW,
    stable=OLD,
    policy=RolloutPolicy(
        tick=Duration(10.0),
        breaker=Breaker(tick=Duration(10.0)),
        quality=QualityMargins(block=Duration(20.0)),
        drift=DriftMargins(),
    ),
    started_at=datetime.fromtimestamp(START, UTC),
    phase=Phase.PROGRESSING,
)


@dataclass
class Live:
    """Model servers that log, people who label, and the source that looks."""

    root: Path
    rollout: Rollout = ROLLOUT
    clock: FakeClock = field(default_factory=lambda: FakeClock(moment=datetime.fromtimestamp(START, UTC)))
    answered: int = 0

    def __post_init__(self) -> None:
        folder = log_folder(self.root, "toy")
        self.log = Segments(folder, "predictions", limit=1 << 20)
        self.labels = Feedback(folder)
        database = Database(self.root / "state.db")
        self.context = Context(root=self.root, model="toy", database=database, clock=self.clock)
        self.context.access_log.parent.mkdir(parents=True)
        self.context.access_log.touch()
        self.source = LiveMetrics(AccessLog(Options(), self.context), self.context)

    def answer(self, arm: str, out: float | None, at: float, count: int = 1, **changes: Any) -> list[str]:
        names = [f"q{self.answered + number}" for number in range(count)]
        self.answered += count
        outputs = [] if out is None else [out]
        entry = {"at": START + at, "ms": 1, "route": "r1|3|500", "try": 1, "arm": arm[7:19], "user": "", "out": outputs}
        self.log.append(b"".join(json.dumps({"id": name, **entry, **changes}).encode() + b"\n" for name in names))
        return names

    def label(self, names: list[str], value: float, at: float) -> None:
        now = datetime.fromtimestamp(START + at, UTC)
        self.labels.catch_up(now)
        self.labels.put([Label(id=name, values=(value,)) for name in names], now)

    def reward(self, names: list[str], value: float, at: float) -> None:
        now = datetime.fromtimestamp(START + at, UTC)
        self.labels.catch_up(now)
        self.labels.put([Label(id=name, values=(value,), reward=True) for name in names], now)

    def look(self, at: float) -> Look:
        self.clock.moment = datetime.fromtimestamp(START + at, UTC)
        found = self.source.observe(self.rollout, 0)
        assert found.error is None
        self.rollout = replace(self.rollout, cursor=found.cursor)
        return found

    def quality(self, at: float) -> list[tuple[int, ...]]:
        blocks = [seen.block for seen in self.look(at).observations if seen.metric == "quality"]
        return [(block.canary_n, block.canary_bad, block.stable_n, block.stable_bad) for block in blocks]


@pytest.fixture
def live(tmp_path: Path) -> Live:
    return Live(tmp_path)


def test_labels_are_told_by_arrival_weight_and_the_window_in_which_they_came(live: Live) -> None:
    new, old = live.answer(NEW, 1.0, at=1, count=3), live.answer(OLD, 1.0, at=2, count=5)
    other = live.answer(NEW, 1.0, at=3, route="r1|4|2500")
    live.label(new[:2], 0.0, at=30)
    live.label([*old, *other], 1.0, at=35)
    assert live.quality(39) == []
    assert live.quality(43) == [(2, 2, 5, 0), (1, 0, 0, 0)]
    live.label(new[2:], 1.0, at=50)
    assert live.quality(63) == [(1, 0, 0, 0)]
    assert live.quality(90) == []


def test_labels_of_stable_are_counted_by_group_of_users(live: Live) -> None:
    old = [name for number in range(9) for name in live.answer(OLD, 1.0, at=2, user=f"u{number}")]
    live.label(live.answer(NEW, 1.0, at=1, user="u10"), 0.0, at=30)
    live.label(old, 0.0, at=31)
    (seen,) = live.look(43).observations
    assert [sum(column) for column in zip(*seen.groups, strict=True)] == [9, 9]


def test_how_often_somebody_looks_does_not_change_the_blocks(live: Live, tmp_path: Path) -> None:
    seldom = Live(tmp_path / "seldom")
    told: list[list[tuple[int, ...]]] = []
    for each, looks in ((live, (33, 41, 43, 47, 55, 63, 70, 90)), (seldom, (90,))):
        new, old = each.answer(NEW, 1.0, at=1, count=6), each.answer(OLD, 1.0, at=2, count=9)
        for number in range(3):
            each.label(new[2 * number : 2 * number + 2], 0.0, at=31 + 13 * number)
            each.label(old[3 * number : 3 * number + 3], 1.0, at=32 + 13 * number)
        told.append([block for at in looks for block in each.quality(at)])
    assert sorted(told[0]) == sorted(told[1])


def test_labels_of_other_rollouts_and_of_no_split_are_not_told(live: Live) -> None:
    names = live.answer(NEW, 1.0, at=1, route="r0|3|500") + live.answer(OLD, 1.0, at=1, route="r1|2|0")
    live.label(names, 0.0, at=2)
    assert live.quality(60) == []


def test_a_number_within_the_tolerance_is_right(live: Live) -> None:
    policy = replace(ROLLOUT.policy, quality=QualityMargins(tolerance=0.5, block=Duration(20.0)))
    live.rollout = replace(live.rollout, policy=policy)
    live.label(live.answer(NEW, 2.5, at=1), 2.0, at=2)
    live.label(live.answer(NEW, 2.51, at=1), 2.0, at=2)
    assert live.quality(60) == [(2, 1, 0, 0)]


def test_the_past_of_stable_is_what_its_labels_say(live: Live) -> None:
    for user, count in (("u", 6), ("v", 6)):
        names = live.answer(OLD, 1.0, at=-50, count=count, user=user, route="|0|0")
        live.label(names, 1.0 if user == "u" else 0.0, at=-9)
    history = live.source.history(live.rollout)
    assert (history.labelled, history.wrong) == (12, 6)
    assert history.design_effects["quality"] > 1.0


def test_the_outputs_of_stable_are_shown_until_the_cells_are_chosen(live: Live) -> None:
    live.answer(OLD, 1.0, at=-5, count=400, route="")
    live.answer(NEW, 0.0, at=-5, count=400, route="")
    seen = live.look(0)
    assert (seen.stable_outputs, seen.stable_users) == ((1.0,) * 400, ())
    live.rollout = replace(live.rollout, drift=begin(DriftMargins(), (0.0, 1.0)))
    live.answer(NEW, 1.0, at=12, count=2)
    live.answer(NEW, 7.0, at=13)
    live.answer(OLD, 0.0, at=19, count=4)
    live.answer(OLD, 0.0, at=19, **{"try": 2})
    assert live.look(22).drift == ()
    seen = live.look(23)
    assert [(block.weight, block.canary, block.stable) for block in seen.drift] == [(5.0, (0, 2, 1), (4, 0, 0))]
    assert seen.stable_outputs == ()
    assert live.look(28).drift == ()


def sliced(live: Live, at: float) -> list[tuple[str, str, tuple[int, ...]]]:
    return [
        (seen.key.metric, seen.key.name, (block.canary_n, block.canary_bad, block.stable_n, block.stable_bad))
        for seen in live.look(at).slices
        for block in (seen.block,)
    ]


def test_slices_are_chosen_from_what_stable_answered_and_then_told_by_block(live: Live) -> None:
    policy = replace(ROLLOUT.policy, drift=None, slices=(LiveSlice(columns=("SEX",)),))
    history = History(requests=100, errors=0, slow=0, slow_after_ms=9.0, labelled=100, wrong=5)
    live.rollout = evidence.begin(replace(live.rollout, policy=policy), history)
    live.label(live.answer(OLD, 1.0, at=-50, count=3, route="", slices=["SEX=1"]), 0.0, at=-30)
    live.answer(OLD, 1.0, at=-50, count=2, route="", slices=["SEX=2"])
    live.answer(OLD, 1.0, at=-50, count=2, route="")
    seen = live.look(3)
    assert seen.past_slices == PastSlices(
        answers=5,
        slices=(PastSlice(name="SEX=2", answers=2), PastSlice(name="SEX=1", answers=3, labelled=3, wrong=3, squares=3)),
    )
    many = replace(seen.past_slices, slices=tuple(replace(each, answers=99) for each in seen.past_slices.slices))
    live.rollout = replace(live.rollout, slices=live_slices.begin(live.rollout, many))
    new = live.answer(NEW, 1.0, at=11, count=4, slices=["SEX=1"])
    live.answer(NEW, None, at=12, slices=["SEX=2"])
    live.answer(OLD, 1.0, at=13, count=6, slices=["SEX=2"])
    live.answer(OLD, 1.0, at=13, count=6, slices=["SEX=3"])
    live.label(new[:3], 0.0, at=30)
    assert sliced(live, 43) == [
        ("quality", "SEX=1", (3, 3, 0, 0)),
        ("errors", "SEX=1", (4, 0, 0, 0)),
        ("errors", "SEX=2", (1, 1, 6, 0)),
    ]
    assert sliced(live, 53) == []


def test_rewards_are_told_as_what_was_lost_and_labels_beside_them_are_not(live: Live) -> None:
    margins = QualityMargins(by="reward", block=Duration(20.0))
    live.rollout = replace(live.rollout, policy=replace(ROLLOUT.policy, quality=margins, drift=None))
    live.reward(live.answer(OLD, 1.0, at=-50, count=2, route=""), 0.75, at=-30)
    live.label(live.answer(OLD, 1.0, at=-50, count=5, route=""), 0.0, at=-30)
    history = live.source.history(live.rollout)
    assert (history.labelled, history.wrong, history.wrong_squares) == (2, 0.5, 0.125)
    live.reward(live.answer(NEW, 1.0, at=1), 1.0, at=30)
    live.reward(live.answer(NEW, 1.0, at=1), 0.0, at=30)
    live.reward(live.answer(OLD, 1.0, at=2), 0.6, at=31)
    live.label(live.answer(NEW, 1.0, at=2), 0.0, at=31)
    (seen,) = [found for found in live.look(43).observations if found.metric == "quality"]
    assert seen.block == Losses(canary=betting.spread([0.0, 1.0]), stable=betting.spread([0.4]))


def test_slices_of_rewards_are_told_the_same_way(live: Live) -> None:
    margins = QualityMargins(by="reward", block=Duration(20.0))
    policy = replace(ROLLOUT.policy, quality=margins, drift=None, slices=(LiveSlice(columns=("SEX",)),))
    begun = evidence.begin(
        replace(live.rollout, policy=policy), History(requests=9, errors=0, slow=0, slow_after_ms=9.0)
    )
    past = PastSlices(answers=500, slices=(PastSlice(name="SEX=1", answers=500, labelled=10, wrong=4.0, squares=2.0),))
    live.rollout = replace(begun, slices=live_slices.begin(begun, past))
    assert live.rollout.slices is not None
    assert live.rollout.slices.mixed.parts[1].squares == 2.0
    live.reward(live.answer(NEW, 1.0, at=1, slices=["SEX=1"]), 0.5, at=30)
    blocks = [found.block for found in live.look(43).slices if found.key.metric == "quality"]
    assert blocks == [Losses(canary=betting.spread([0.5]), stable=betting.spread([]))]


def test_model_servers_are_asked_for_the_slices_of_the_rollout_and_of_no_other(live: Live) -> None:
    folder = log_folder(live.root, "toy")
    live.look(1)
    assert not (folder / "slices.json").exists()
    wanted = (LiveSlice(columns=("AGE",), bins=(30.0,)),)
    live.rollout = replace(live.rollout, policy=replace(ROLLOUT.policy, slices=wanted))
    live.look(2)
    assert asked(folder) == wanted
    live.rollout = replace(live.rollout, policy=ROLLOUT.policy)
    live.look(3)
    assert asked(folder) == ()


def test_users_are_shown_when_all_are_known(live: Live) -> None:
    live.answer(OLD, 1.0, at=-5, count=2, route="", user="u")
    assert live.look(0).stable_users == ("u", "u")


def test_a_database_that_cannot_be_read_is_a_look_that_failed(live: Live) -> None:
    live.look(1)
    (log_folder(live.root, "toy") / "joined.db").write_bytes(b"no database" * 100)
    source = LiveMetrics(AccessLog(Options(), live.context), live.context)
    seen = source.observe(live.rollout, 0)
    assert seen.error is not None
    assert seen.cursor == live.rollout.cursor


def test_without_quality_and_drift_no_database_is_made(live: Live) -> None:
    live.rollout = replace(live.rollout, policy=RolloutPolicy())
    live.look(5)
    live.source.history(live.rollout)
    assert not (log_folder(live.root, "toy") / "joined.db").exists()


def shadowing(tmp_path: Path, **changes: Any) -> Live:
    policy = replace(ROLLOUT.policy, quality=None, drift=None, shadow=Shadow(**changes))
    return Live(tmp_path, replace(ROLLOUT, policy=policy, phase=Phase.SHADOWING))


def copy(live: Live, names: list[str], out: float, at: float = 0.1) -> None:
    live.answered -= len(names)
    assert live.answer(NEW, out, at, len(names), route="r1|3|0|copy") == names


def test_copies_are_told_in_pairs_each_once(tmp_path: Path) -> None:
    live = shadowing(tmp_path)
    copy(live, live.answer(OLD, 1.0, at=1.0, count=6, route="r1|3|0|mirrored"), 1.0)
    copy(live, live.answer(OLD, 0.0, at=2.0, count=3, route="r1|3|0|mirrored"), 1.0)
    live.answer(OLD, 0.0, at=2.0, count=2, route="r1|3|0|mirrored")
    live.answer(OLD, 0.0, at=2.0, count=50, route="r1|3|0")
    assert live.look(at=12.0).shadow == ()
    (seen,) = live.look(at=13.0).shadow
    assert (seen.asked, seen.failed, seen.equal, seen.cells) == (11, 2, 6, ())
    assert live.look(at=23.0).shadow == ()


def test_pairs_are_counted_by_cell_once_there_are_cells(tmp_path: Path) -> None:
    live = shadowing(tmp_path)
    margins = DriftMargins()
    live.rollout = replace(live.rollout, drift=begin(margins, (0.0, 1.0) * 200))
    copy(live, live.answer(OLD, 1.0, at=1.0, count=6, route="r1|3|0|mirrored"), 1.0)
    copy(live, live.answer(OLD, 0.0, at=2.0, count=3, route="r1|3|0|mirrored"), 1.0)
    copy(live, live.answer(OLD, 0.0, at=2.0, count=1, route="r1|3|0|mirrored"), 7.0)
    (seen,) = live.look(at=13.0).shadow
    assert seen.cells == ((1, 0, 3), (1, 1, 6), (2, 0, 1))


def test_numbers_are_equal_within_a_tolerance(tmp_path: Path) -> None:
    live = shadowing(tmp_path, tolerance=0.5)
    copy(live, live.answer(OLD, 3.0, at=1.0, count=4, route="r1|3|0|mirrored"), 3.5)
    copy(live, live.answer(OLD, 3.0, at=1.0, count=2, route="r1|3|0|mirrored"), 3.6)
    (seen,) = live.look(at=13.0).shadow
    assert (seen.asked, seen.equal) == (6, 4)
