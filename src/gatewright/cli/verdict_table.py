"""A verdict on a terminal: a line per gate, then the worst changes of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gatewright.cli.output import table_lines, wrapped

if TYPE_CHECKING:
    from gatewright.domain.gate import Comparison, GateResult, Waiver
    from gatewright.web.subject import Subject

_WORST = 8
_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "waived": "magenta"}
_HEAD = ("", "SLICE", "ROWS", "CHANGE [INTERVAL]", "ADJ. P", "MDE", "REMARK")
_SLICE = 40


def verdict_lines(subject: Subject) -> Iterator[str]:
    """The subject, its gates with the reasons, the worst changes, waivers and warnings; coloured by escape codes."""
    state = f": {subject.state}" if subject.state else ""
    yield click.style(subject.model, bold=True) + state + (f"  run {subject.run}" if subject.run else "")
    recorded = subject.recorded
    if recorded is None:
        yield subject.verdict_words
        return
    yield f"{_coloured(recorded.verdict.value)}  {subject.verdict_words}"
    yield ""
    rows = [(_coloured(_state(each)), each.gate, " ".join(each.why.split())) for each in recorded.judgement.results]
    rows += [(click.style("skipped", dim=True), name, "left out by request") for name in recorded.judgement.skipped]
    yield from table_lines(rows)
    for result in recorded.judgement.results:
        yield from _changes(result)
    if recorded.judgement.waivers or subject.warnings:
        yield ""
    for waiver in recorded.judgement.waivers:
        yield wrapped(_waived(waiver), first="waived  ", rest="        ")
    for warning in subject.warnings:
        yield wrapped(warning, first="  ! ", rest="    ")


def _changes(result: GateResult) -> Iterator[str]:
    from gatewright.web.words import change_words, worst_first

    found = [each for each in result.comparisons if each.kind == "change"]
    if len(found) < 2:  # the gate's own sentence has said it
        return
    yield ""
    yield click.style(f"{result.gate}: {change_words(each.metric for each in found)}, the worst first", bold=True)
    yield from table_lines([_row(each) for each in worst_first(found, _WORST)], head=_HEAD)
    if len(found) > _WORST:
        yield f"… and {len(found) - _WORST:,} more"


def _row(each: Comparison) -> tuple[str, ...]:
    from gatewright.web import words

    p = each.p_adjusted if each.p_adjusted is not None else each.p
    return (
        _coloured(words.standing(each)),
        words.shortened(each.slice, _SLICE),
        words.whole(each.rows).rjust(8),
        words.change(each),
        words.p_value(p),
        words.number(each.mde),
        words.shortened(f"by {each.waived_by}" if each.waived_by else each.note, 100),
    )


def _waived(waiver: Waiver) -> str:
    what = f"{waiver.gate}, {waiver.slice}" if waiver.slice else waiver.gate
    return f"{what}: {waiver.reason} ({waiver.by}, until {waiver.expires})"


def _state(result: GateResult) -> str:
    from gatewright.web.words import is_open

    return "warns" if is_open(result) else result.verdict.value


def _coloured(state: str) -> str:
    return click.style(state, fg=_COLOURS.get(state, "yellow"))
