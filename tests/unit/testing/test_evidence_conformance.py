"""Each promise of `MetricSourceConformance` can fail: sources with planted bugs, and the promise that finds each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gatewright.domain.errors import GatewrightError
from gatewright.testing.evidence import MetricSourceConformance
from tests.fixtures import evidence_bugs as bugs
from tests.fixtures.evidence_scenes import LedgerScene, LedgerSource

PROMISES = tuple(name.removeprefix("test_") for name in vars(MetricSourceConformance) if name.startswith("test_"))

BUGS: dict[type[LedgerSource], tuple[str, ...]] = {
    bugs.SwapsArms: ("requests_errors_and_slow_answers_are_those_of_each_arm",),
    bugs.ForgetsErrors: ("requests_errors_and_slow_answers_are_those_of_each_arm",),
    bugs.SlowFromTheLimit: ("requests_errors_and_slow_answers_are_those_of_each_arm",),
    bugs.ByRates: ("requests_errors_and_slow_answers_are_those_of_each_arm",),
    bugs.TellsTwice: ("requests_errors_and_slow_answers_are_those_of_each_arm",),
    bugs.ReadsTheLastMinute: ("every_request_counts_once_however_the_time_is_cut_into_looks",),
    bugs.LeavesOutLongTimes: ("every_request_counts_once_however_the_time_is_cut_into_looks",),
    bugs.RemembersInTheProcess: ("another_process_at_each_look_goes_on_where_the_last_one_was",),
    bugs.LosesWithTheProcess: ("another_process_at_each_look_goes_on_where_the_last_one_was",),
    bugs.CountsAgainAfterACrash: ("a_look_that_was_not_written_down_is_made_again",),
    bugs.GivesOnce: ("a_look_that_was_not_written_down_is_made_again",),
    bugs.MixesWeights: (
        "blocks_are_of_one_weight",
        "a_weight_that_the_traffic_does_not_show_yet_is_not_told",
    ),
    bugs.BelongsToItsEnd: ("what_is_under_way_while_the_weight_changes_is_not_told_under_the_new_one",),
    bugs.ForgetsNoWeight: (
        "traffic_that_slips_away_is_not_told_as_what_was_asked",
        "what_is_served_after_the_lease_has_lapsed_is_not_told_as_the_canarys",
    ),
    bugs.BlocksWithoutWeight: ("without_weight_there_are_no_blocks",),
    bugs.StopsAtZero: ("without_weight_there_are_no_blocks",),
    bugs.Raises: ("a_look_that_failed_changes_nothing_and_is_told",),
    bugs.GoesOnWhenItFails: ("a_look_that_failed_changes_nothing_and_is_told",),
    bugs.KeepsQuiet: ("a_look_that_failed_changes_nothing_and_is_told",),
    bugs.TellsWhatItHas: ("a_look_that_failed_changes_nothing_and_is_told",),
    bugs.Sulks: ("a_look_that_failed_changes_nothing_and_is_told",),
    bugs.ZeroForMissing: ("what_is_missing_is_not_zero",),
    bugs.FillsGaps: ("a_time_without_requests_is_no_evidence",),
    bugs.RepeatsTheLastTime: ("a_time_without_requests_is_no_evidence",),
    bugs.CountsOnFromZero: ("counters_that_begin_anew_are_not_taken_for_those_before",),
    bugs.CountsEverybody: ("what_testers_ask_and_what_is_copied_is_no_evidence",),
    bugs.CountsTesters: ("history_is_what_stable_served_before",),
    bugs.ALimitOfItsOwn: ("slow_is_what_the_rollout_began_with",),
    bugs.ReadsAnyCursor: ("a_cursor_that_another_source_has_left_is_begun_anew",),
    bugs.BeginsWithEverything: (
        "a_cursor_that_another_source_has_left_is_begun_anew",
        "what_an_earlier_rollout_was_told_is_no_evidence_of_this_one",
    ),
    bugs.RemembersAGuess: ("history_is_what_stable_served_before",),
    bugs.InventsAPast: ("a_history_of_nothing_is_empty_or_refused",),
    bugs.HasNoPastToday: ("a_history_that_cannot_be_read_is_refused",),
}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "counters_that_begin_anew_are_not_taken_for_those_before": {"role": "canary", "looks_before": None},
    "what_testers_ask_and_what_is_copied_is_no_evidence": {"by": "tester"},
}
_FOUND = (AssertionError, GatewrightError, ValueError, pytest.fail.Exception)


def fails(promise: str, kind: type[LedgerSource]) -> bool:
    """Whether the suite's test of this promise fails over this source."""
    test = getattr(MetricSourceConformance(), f"test_{promise}")
    try:
        test(LedgerScene(kind), **ARGUMENTS.get(promise, {}))
    except _FOUND:
        return True
    except pytest.skip.Exception:
        return False
    return False


def cases() -> Iterator[tuple[type[LedgerSource], str]]:
    for bug, found in BUGS.items():
        for promise in found:
            yield bug, promise


@pytest.mark.parametrize(
    ("bug", "promise"), [pytest.param(*each, id=f"{each[0].__name__}-{each[1][:30]}") for each in cases()]
)
def test_a_broken_promise_is_found(bug: type[LedgerSource], promise: str) -> None:
    assert fails(promise, bug)


@pytest.mark.parametrize("promise", PROMISES)
def test_a_source_that_keeps_it_passes(promise: str) -> None:
    assert not fails(promise, LedgerSource)


def test_every_promise_is_broken_by_one_of_the_bugs() -> None:
    assert {promise for _, promise in cases()} == {*PROMISES}
