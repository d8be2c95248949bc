"""The join of predictions and labels: once, to the arm and the block of the request, whatever comes first."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.feedback import Label, Labelled, Tally
from gatewright.effects.segments import Segments, segments
from gatewright.store.feedback import Feedback

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = NOW.timestamp()
EVERYTHING = {"after": 0.0, "before": AT + 1e6, "beyond": 0}


def line(name: str, **changes: Any) -> bytes:
    entry = {"id": name, "at": AT - 60, "ms": 1, "route": "r1|3|500", "try": 1, "arm": "new", "user": "", "out": [1]}
    return json.dumps({**entry, **changes}).encode() + b"\n"


def label(name: str, *values: float) -> Label:
    return Label(id=name, values=values)


@dataclass
class Servers:
    """Model servers that write, and the join that reads."""

    folder: Path
    store: Feedback = field(init=False)
    log: Segments = field(init=False)

    def __post_init__(self) -> None:
        self.store = Feedback(self.folder)
        self.log = Segments(self.folder, "predictions", limit=1 << 20)

    def answer(self, *lines: bytes) -> None:
        self.log.append(b"".join(lines))
        assert self.store.catch_up(NOW)

    def joined(self) -> list[Labelled]:
        return self.store.labelled("r1", **EVERYTHING)[0]


@pytest.fixture
def servers(tmp_path: Path) -> Servers:
    return Servers(tmp_path)


def test_a_label_is_joined_to_the_arm_and_the_block_of_its_request(servers: Servers) -> None:
    servers.answer(line("a", user="u"), line("b", arm="old", route="r2|1|0"))
    assert servers.store.put([label("a", 0.0)], NOW) == Tally(joined=1)
    assert servers.joined() == [
        Labelled(at=AT, arrived=AT - 60, weight=5.0, arm="new", user="u", prediction=1.0, label=0.0)
    ]


def test_a_label_that_is_faster_than_the_log_waits_for_its_prediction(servers: Servers) -> None:
    assert servers.store.put([label("a", 1.0), label("never", 1.0)], NOW) == Tally(waiting=2)
    servers.answer(line("a"))
    assert [found.label for found in servers.joined()] == [1.0]
    assert servers.store.tally() == Tally(joined=1, waiting=1)


def test_the_first_label_of_a_request_stays_and_others_are_counted(servers: Servers) -> None:
    servers.answer(line("a"))
    told = servers.store.put([label("a", 1.0), label("a", 1.0), label("a", 0.0)], NOW)
    assert told == Tally(joined=1, doubled=1, conflicting=1)
    assert servers.store.put([label("a", 0.0)], NOW + timedelta(days=1)) == Tally(conflicting=1)
    assert servers.store.tally() == Tally(joined=1, doubled=1, conflicting=2)
    assert [found.label for found in servers.joined()] == [1.0]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([line("a", **{"try": 2})], id="rescued"),
        pytest.param([line("a"), line("a", arm="old", **{"try": 2})], id="rescued while the first try went on"),
        pytest.param([line("a", arm="old", **{"try": 2}), line("a")], id="the same, told in the other order"),
        pytest.param([line("a"), line("a", arm="old")], id="one id for two requests"),
        pytest.param([line("a", out=[1, 0])], id="another number of rows"),
    ],
)
def test_what_cannot_be_charged_to_one_arm_is_unusable(servers: Servers, lines: list[bytes]) -> None:
    servers.answer(*lines)
    assert servers.store.put([label("a", 1.0)], NOW) == Tally(unusable=1)
    assert (servers.joined(), servers.store.tally()) == ([], Tally(unusable=1))


def test_of_several_rows_one_is_drawn_by_the_id(servers: Servers) -> None:
    servers.answer(*(line(f"q{number}", out=[0, 1, 2, 3]) for number in range(200)))
    servers.store.put([label(f"q{number}", 0.0, 1.0, 2.0, 3.0) for number in range(200)], NOW)
    found = servers.joined()
    assert all(each.prediction == each.label for each in found)
    assert {each.prediction for each in found} == {0.0, 1.0, 2.0, 3.0}


def test_each_line_is_taken_once_and_damaged_ones_never(servers: Servers) -> None:
    servers.answer(line("a"), b"{broken\n", line("b"), line("c")[:-9])
    other = Feedback(servers.folder)
    for store in (servers.store, other, servers.store):
        assert store.catch_up(NOW)
    assert len(servers.store.answered("r1", **EVERYTHING)[0]) == 2


def test_labels_left_with_a_model_server_are_taken_over(servers: Servers) -> None:
    inbox = Segments(servers.folder, "labels", limit=1 << 20)
    inbox.append(b'{"request_id": "a", "label": [0.0]}\n{"request_id": "a"}\n')
    servers.answer(line("a"))
    assert [found.label for found in servers.joined()] == [0.0]


def test_a_backlog_is_caught_up_with_in_parts(servers: Servers) -> None:
    for part in range(3):
        Segments(servers.folder, "predictions", limit=1 << 20).append(line(f"q{part}"))
    assert not servers.store.catch_up(NOW, most=1)
    assert not servers.store.catch_up(NOW, most=1)
    assert servers.store.catch_up(NOW, most=1000)
    assert len(servers.store.answered("r1", **EVERYTHING)[0]) == 3


def test_a_look_gets_what_came_in_its_time_and_what_was_written_late(servers: Servers) -> None:
    servers.answer(line("a", at=AT), line("b", at=AT + 10))
    first, number = servers.store.answered("r1", after=0, before=AT + 5, beyond=0)
    servers.answer(line("c", at=AT + 1), line("d", at=AT + 7))
    second, _ = servers.store.answered("r1", after=AT + 5, before=AT + 15, beyond=number)
    assert sorted(row[0] - AT for row in first) == [0]
    assert sorted(row[0] - AT for row in second) == [1, 7, 10]


def test_what_the_log_has_dropped_is_forgotten(servers: Servers) -> None:
    servers.answer(line("a", at=1.0))
    segments(servers.folder, "predictions")[0].unlink()
    servers.answer(line("b", at=AT + 1e9))
    assert servers.store.put([label("a", 1.0), label("b", 1.0)], NOW) == Tally(joined=1, waiting=1)


def test_the_newest_answers_and_labels_of_an_arm(servers: Servers) -> None:
    servers.answer(*(line(f"q{number}", arm="old", out=[number], route="") for number in range(5)))
    servers.store.put([label("q3", 1.0)], NOW)
    assert servers.store.outputs_of("old", 2) == [(4.0, ""), (3.0, "")]
    assert [found.prediction for found in servers.store.labelled_of("old", 10)] == [3.0]
    assert servers.joined() == []


def test_a_reward_is_no_label_of_the_same_number(servers: Servers) -> None:
    servers.answer(line("a"), line("b"))
    first = [replace(label("a", 1.0), reward=True), label("b", 1.0)]
    assert servers.store.put(first, NOW).joined == 2
    assert servers.store.put([label("a", 1.0)], NOW) == Tally(conflicting=1)
    assert servers.store.put(first[:1], NOW) == Tally(doubled=1)
    assert [(found.reward, found.label) for found in servers.joined()] == [(True, 1.0), (False, 1.0)]


def test_slices_go_with_the_answer_and_its_label(servers: Servers) -> None:
    servers.answer(line("a", slices=["SEX=1"]), line("b"))
    servers.store.put([label("a", 0.0), label("b", 0.0)], NOW)
    assert [found.slices for found in servers.joined()] == [("SEX=1",), ()]
    assert servers.store.slices_of("new", 10) == [("SEX=1",)]


def test_requests_of_slices_are_told_with_those_on_which_the_model_failed(servers: Servers) -> None:
    servers.answer(
        line("a", slices=["SEX=1"]),
        line("b", slices=["SEX=2"], out=[]),
        line("c", slices=["SEX=2"], out=[], **{"try": 2}),
        line("b", slices=["SEX=2"], arm="old", **{"try": 2}),
        line("d"),
        line("e", slices=["SEX=1"], route="r2|1|500"),
    )
    found, numbers = servers.store.sliced("r1", after=0.0, before=AT, beyond=(0, 0))
    assert sorted(found) == [(AT - 60, 5.0, "new", ("SEX=1",), False), (AT - 60, 5.0, "new", ("SEX=2",), True)]
    servers.answer(line("f", slices=["SEX=1"], at=AT - 90, out=[]))
    late, _ = servers.store.sliced("r1", after=AT - 30, before=AT, beyond=numbers)
    assert [(each.at, each.failed) for each in late] == [(AT - 90, True)]


def test_an_id_that_was_answered_at_the_first_try_did_not_fail(servers: Servers) -> None:
    servers.answer(line("a", slices=["SEX=1"], out=[]), line("a", slices=["SEX=1"]))
    found, _ = servers.store.sliced("r1", after=0.0, before=AT, beyond=(0, 0))
    assert [each.failed for each in found] == [False]


def copied(servers: Servers, **where: Any) -> list[tuple[float, float | None]]:
    return servers.store.copied("r1", ("new", "old"), **{**EVERYTHING, **where})[0]


def test_a_copy_is_laid_beside_its_original_and_labels_never_reach_it(servers: Servers) -> None:
    original = {"arm": "old", "route": "r1|3|0|mirrored"}
    copy = {"arm": "new", "route": "r1|3|0|copy"}
    servers.answer(line("a", **copy, out=[0]), line("a", **original), line("b", **original), line("c", **original))
    servers.answer(line("c", **copy, out=[1]), line("not copied", arm="old", route="r1|3|0"))
    assert copied(servers) == [(1.0, 0.0), (1.0, None), (1.0, 1.0)]
    assert servers.store.put([label("a", 1.0), label("c", 1.0)], NOW) == Tally(joined=2)
    assert [(found.arm, found.prediction) for found in servers.joined()] == [("old", 1.0), ("old", 1.0)]


def test_what_testers_ask_for_is_forgotten_and_its_labels_wait(servers: Servers) -> None:
    chosen = {"arm": "new", "route": "r1|3|0|tester"}
    servers.answer(line("a", **chosen), line("b", **chosen, out=[]), line("c"))
    assert servers.store.put([label("a", 1.0), label("c", 1.0)], NOW) == Tally(joined=1, waiting=1)
    assert len(servers.store.outputs_of("new", 10)) == 1


def test_copies_of_another_kind_or_arm_count_as_not_answered(servers: Servers) -> None:
    original = {"arm": "old", "route": "r1|3|0|mirrored"}
    servers.answer(line("a", **original), line("b", **original, out=[1, 0]))
    servers.answer(line("a", arm="other", route="r1|3|0|copy"), line("b", arm="new", route="r1|3|0|copy"))
    assert [answer for _, answer in copied(servers)] == [None, None]


def test_originals_that_came_late_are_told_once(servers: Servers) -> None:
    original = {"arm": "old", "route": "r1|3|0|mirrored"}
    servers.answer(line("a", **original))
    found, number = servers.store.copied("r1", ("new", "old"), after=0.0, before=AT, beyond=0)
    servers.answer(line("late", **original), line("rescued", **original, **{"try": 2}))
    again, _ = servers.store.copied("r1", ("new", "old"), after=AT, before=AT + 10, beyond=number)
    assert (len(found), len(again)) == (1, 1)
