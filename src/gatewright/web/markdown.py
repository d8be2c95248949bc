"""A report as Markdown, for a pull request's comment or a CI step's summary: what was decided, why, on what. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from gatewright.domain.gate import Comparison, GateResult, Judgement
from gatewright.rules.markdown_text import code
from gatewright.rules.markdown_text import table as _table
from gatewright.rules.markdown_text import text as _text
from gatewright.web import words
from gatewright.web.subject import Subject

LIMIT = 60_000
"""Characters of one report: a comment on GitHub holds 65,536."""
_WORST, _DETAILS, _WARNINGS, _WHY, _NAME = 8, 150, 20, 1200, 120
MARKS: dict[str, str] = {"pass": "✅", "fail": "❌", "inconclusive": "❔", "waived": "☑️"}
_HEAD = ("", "slice", "rows", "change", "adjusted p", "MDE", "remark")


def markdown(subject: Subject) -> str:
    """The whole report, at most LIMIT characters; what is left out is said."""
    sections = (_headline, gates, waivers, slices, warnings, lineage, _stages, _events, details)
    lines: list[str] = []
    for section in sections:
        if told := list(section(subject)):
            lines += ["", *told] if lines else told
    return bounded(lines, LIMIT) + "\n"


def bounded(lines: Sequence[str], limit: int, size: Callable[[str], int] = len) -> str:
    """Whole lines whose `size` is at most `limit`; a folded part that is cut is closed, and what is missing is said."""
    rest = "\n\n… more was measured than fits here: `gatewright report --format html --file report.html` shows it all."
    closing = "\n\n</details>"
    room = limit - size(rest) - len(closing) - 1
    used, folded = 0, False
    for index, line in enumerate(lines):
        used += size(line) + 1
        if used > room:
            return "\n".join(lines[:index]) + (closing if folded else "") + rest
        folded = (folded or line.startswith("<details>")) and line != "</details>"
    return "\n".join(lines)


def _headline(subject: Subject) -> Iterator[str]:
    yield f"# {_text(subject.model)}: {subject.state}"
    yield ""
    if subject.told:
        yield f"_{_text(subject.told)}_"
        yield ""
    if subject.recorded is not None:
        verdict = subject.recorded.verdict.value
        yield f"{MARKS[verdict]} **{verdict}**: {_text(subject.verdict_words, _WHY)}"
        yield ""
    because = ", because " + _text("; ".join(subject.reasons), _WHY) if subject.reasons else ""
    if subject.run:
        yield f"Run `{subject.run}`{because}."


def _stages(subject: Subject) -> Iterator[str]:
    if subject.stages:
        yield "## Stages"
        yield ""
        rows = [(name, status, f"{seconds:.1f}") for name, status, seconds in subject.stages]
        yield from _table(("stage", "status", "seconds"), rows)


def gates(subject: Subject) -> Iterator[str]:
    """The table of gates: what each decided, and why."""
    judgement = _judgement(subject)
    if judgement is None or not (judgement.results or judgement.skipped):
        return
    yield "## Gates"
    yield ""
    rows = [(_mark(result), result.gate, _why(result)) for result in judgement.results]
    rows += [("⏭️", name, "left out by request") for name in judgement.skipped]
    yield from _table(("", "gate", "why"), rows)
    if judgement.a_a is not None:
        yield ""
        yield f"A model no different from the baseline would be failed in {words.percent(judgement.a_a)} of such runs."


def _mark(result: GateResult) -> str:
    return "⚠️" if words.is_open(result) else MARKS[result.verdict.value]


def _why(result: GateResult) -> str:
    warned = " (this gate only warns)" if words.is_open(result) else ""
    needed = f"; about {result.needed_n:,} rows would decide" if result.needed_n else ""
    return _text(result.why, _WHY) + needed + warned


def waivers(subject: Subject) -> Iterator[str]:
    """Who waived what, why and until when."""
    judgement = _judgement(subject)
    for index, waiver in enumerate(judgement.waivers if judgement else ()):
        if index == 0:
            yield "## Waivers"
            yield ""
        what = f"{waiver.gate} gate, {waiver.slice}" if waiver.slice else f"{waiver.gate} gate"
        yield f"- **{_text(what)}**: {_text(waiver.reason)} ({_text(waiver.by)}, until {waiver.expires})"


def slices(subject: Subject) -> Iterator[str]:
    """The worst changes of each gate."""
    compared = [(result, _changes(result)) for result in _results(subject)]
    compared = [(result, changes) for result, changes in compared if changes]
    for index, (result, changes) in enumerate(compared):
        yield from [""] if index else ["## Changes, the worst first", ""]
        yield f"**{result.gate}**, {words.change_words(each.metric for each in changes)}:"
        yield ""
        yield from _table(_HEAD, _rows(words.worst_first(changes, _WORST)))
        if len(changes) > _WORST:
            yield ""
            yield f"… and {len(changes) - _WORST:,} more, below."


def _rows(changes: Iterable[Comparison]) -> Iterator[tuple[str, ...]]:
    for each in changes:
        p = each.p_adjusted if each.p_adjusted is not None else each.p
        waived = f"waived by {each.waived_by}" if each.waived_by else ""
        yield (
            MARKS[words.standing(each)],
            _text(each.slice, _NAME),
            words.whole(each.rows),
            words.change(each),
            words.p_value(p).replace("<", "&lt;"),
            words.number(each.mde),
            _text("; ".join(part for part in (each.note, waived) if part), 200),
        )


def lineage(subject: Subject) -> Iterator[str]:
    """What the model was made from."""
    if subject.facts:
        yield "## Made from"
        yield ""
        yield from _table(
            ("what", "which", ""), [(fact.what, f"`{code(fact.which)}`", _text(fact.remark)) for fact in subject.facts]
        )


def _events(subject: Subject) -> Iterator[str]:
    if subject.events:
        yield "## Records"
        yield ""
        yield from _table(
            ("when (UTC)", "what", "why"), [(at, what, _text(why, _WHY)) for at, what, why in subject.events]
        )


def warnings(subject: Subject) -> Iterator[str]:
    """What the stages warned of."""
    if subject.warnings:
        yield "## Warnings"
        yield ""
        yield from (f"- {_text(warning, 500)}" for warning in subject.warnings[:_WARNINGS])
        if len(subject.warnings) > _WARNINGS:
            yield f"- … and {len(subject.warnings) - _WARNINGS:,} more"


def details(subject: Subject) -> Iterator[str]:
    """The comparisons after the worst, folded, gate by gate."""
    for result in _results(subject):
        changes = words.worst_first(_changes(result))
        if len(changes) > _WORST:
            shown = changes[:_DETAILS]
            yield f"<details><summary>{result.gate}: {len(changes):,} comparisons</summary>"
            yield ""
            yield from _table(_HEAD, _rows(shown))
            if len(changes) > len(shown):
                yield ""
                yield f"… and {len(changes) - len(shown):,} more"
            yield ""
            yield "</details>"


def _judgement(subject: Subject) -> Judgement | None:
    return subject.recorded.judgement if subject.recorded else None


def _results(subject: Subject) -> tuple[GateResult, ...]:
    return subject.recorded.judgement.results if subject.recorded else ()


def _changes(result: GateResult) -> list[Comparison]:
    return [each for each in result.comparisons if each.kind == "change"]
