"""Which change starts a run, what may travel to a CI, and when a start is tried again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gatewright.domain.claim import Order, Subject
from gatewright.domain.errors import UnusableInput
from gatewright.rules.plan import InputChange, Plan
from gatewright.rules.watching import (
    checked,
    choose,
    claim_id,
    newest_data,
    next_wait_s,
    run_id,
    told_reason,
)

SUBJECT = Subject(model="toy", data_digest="sha256:" + "a" * 64, code_digest="b" * 40)
ORDER = Order(
    model="toy", data_version="people@2026-06-30-0123abcd", reason="data is new", run="20260701-120000-0a1b2c3d"
)


def plan(action: str, *changes: tuple[str, str]) -> Plan:
    found = tuple(
        InputChange(
            what=what, kind=kind, before="people 2026-05-31-aaaaaaaa", now="people 2026-06-30-0123abcd", why="so"
        )
        for what, kind in changes
    )
    return Plan(action=action, why="why", changes=found, stages=())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (plan("everything", ("data", "append")), "start"),
        (plan("everything", ("data", "content"), ("code", "changed")), "start"),
        (plan("evaluate", ("evaluation data", "evaluation")), "start"),
        (plan("everything", ("data", "labels")), "start"),
        (plan("nothing", ("data", "rewrite")), "nothing"),
        (plan("nothing"), "idle"),
        (plan("everything", ("code", "changed")), "idle"),
        (plan("everything", ("data", "rewrite"), ("code", "changed")), "idle"),
        (plan("blocked", ("data", "schema-breaking")), "blocked"),
        (plan("blocked", ("data", "rewrite"), ("evaluation data", "schema-breaking")), "blocked"),
    ],
)
def test_only_other_rows_start_a_run(found: Plan, kind: str) -> None:
    choice = choose(found, deployed=True)
    assert choice.kind == kind
    assert choice.why
    assert choose(found, deployed=False).kind == "idle"


def test_the_training_data_names_the_change() -> None:
    both = plan("everything", ("evaluation data", "evaluation"), ("data", "append"))
    assert newest_data(both) == "people@2026-06-30-0123abcd"
    assert newest_data(plan("everything", ("code", "changed"))) == ""


def test_each_of_model_data_and_code_makes_another_claim_and_time_only_another_run() -> None:
    others = [
        Subject(model="toy2", data_digest=SUBJECT.data_digest, code_digest=SUBJECT.code_digest),
        Subject(model="toy", data_digest="sha256:" + "c" * 64, code_digest=SUBJECT.code_digest),
        Subject(model="toy", data_digest=SUBJECT.data_digest, code_digest="c" * 40),
    ]
    assert len({claim_id(each) for each in (SUBJECT, *others)}) == 4
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert run_id(SUBJECT, noon) == f"20260701-120000-{claim_id(SUBJECT)[:8]}"
    assert checked(Order(model="toy", data_version=ORDER.data_version, reason="x", run=run_id(SUBJECT, noon)))


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("data: a → b (append: 10 rows)", "data: a → b append: 10 rows"),
        ("column `x`; $(id) was dropped", "column x , id was dropped"),
        ("a\nb\tc\0d", "a b c d"),
        ("--force && rm -rf / | x > y", "force rm -rf / x y"),
        ("${{ github.token }}", "github.token"),
        ('"; drop', ", drop"),
    ],
)
def test_a_reason_is_one_harmless_line(why: str, told: str) -> None:
    assert told_reason(why) == told
    assert told_reason(told) == told


def test_a_long_reason_is_cut() -> None:
    told = told_reason("x" * 5000)
    assert len(told) == 400
    assert told_reason(told) == told


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_version": "people@2026-06-30-0123abcd\n"},
        {"data_version": "people"},
        {"data_version": '"; rm -rf ~ #@2026-06-30-0123abcd'},
        {"data_version": "../x@2026-06-30-0123abcd"},
        {"data_version": "people@2026-06-30-$(id)"},
        {"model": "-rf"},
        {"run": "20260701-120000-../x"},
        {"reason": "a; b"},
        {"reason": "a\nb"},
    ],
)
def test_what_could_be_a_command_does_not_travel(wrong: dict[str, str]) -> None:
    words = {
        "model": ORDER.model,
        "data_version": ORDER.data_version,
        "reason": ORDER.reason,
        "run": ORDER.run,
        **wrong,
    }
    with pytest.raises(UnusableInput):
        checked(Order(**words))
    assert checked(ORDER) is ORDER


def test_waits_double_and_heed_the_other_side_up_to_an_hour() -> None:
    assert [next_wait_s(attempts, 0) for attempts in (1, 2, 3, 4)] == [15, 30, 60, 120]
    assert next_wait_s(1, 100) == 100
    assert next_wait_s(1, 1e9) == 3600
    assert next_wait_s(40, 0) == 3600
