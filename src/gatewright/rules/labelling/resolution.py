"""Many answers → one label a row: what contradicts what, how much people agree, and who decides where they do not."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatewright.domain.errors import Place, Problem, UnusableInput
from gatewright.domain.labelling import Agreement, Answer
from gatewright.rules.schema import Column, family
from gatewright.stats.agreement import cohen, fleiss, krippendorff, percent

MAJORITY, MEDIAN, ANNOTATOR = "majority", "median", "annotator:"
Value = int | float | str | bool
_WORDS = {"true": True, "false": False, "1": True, "0": False}
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One label for each labelled row, the rows that nobody labelled, what is wrong, and the agreement."""

    labels: Mapping[str, Value]
    missing: tuple[str, ...]
    problems: tuple[Problem, ...]
    agreement: Agreement
    disputed: int = 0


@dataclass(slots=True)
class _Heard:
    """What was said of each row, by whom; filled while the answers are read."""

    said: dict[str, dict[str, tuple[Value, Answer]]] = field(default_factory=lambda: defaultdict(dict))
    problems: list[Problem] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)


def check_policy(resolve: str) -> None:
    """UnusableInput for a way to resolve that does not exist."""
    if resolve not in (MAJORITY, MEDIAN) and not (resolve.startswith(ANNOTATOR) and resolve != ANNOTATOR):
        raise UnusableInput(
            f"there is no way {resolve!r} to resolve", fix=f"allowed: {MAJORITY}, {MEDIAN}, {ANNOTATOR}NAME"
        )


def resolved(answers: Iterable[Answer], tasks: Sequence[str], column: Column | None, *, resolve: str) -> Resolved:
    """The labels of `tasks`, all rows of the sample, by the policy `resolve`; all problems at once.

    The same label twice by the same annotator is one, another one is a problem, and so are rows that are not in the
    sample, and values that the schema's `column` does not allow. A tie is a problem of its own under `majority`.
    """
    check_policy(resolve)
    heard = _heard(answers, frozenset(tasks), column)
    labels: dict[str, Value] = {}
    disputed = 0
    for task in tasks:
        said = heard.said.get(task)
        if not said:
            continue
        disputed += len({value for value, _ in said.values()}) > 1
        found = _one(said, resolve)
        if isinstance(found, Problem):
            heard.problems.append(found)
        else:
            labels[task] = found
    missing = tuple(task for task in tasks if not heard.said.get(task) and task not in heard.wrong)
    return Resolved(
        labels=labels,
        missing=missing,
        problems=tuple(heard.problems),
        agreement=agreement(heard.said, interval=column is not None and family(column.type) == "float"),
        disputed=disputed,
    )


def agreement(said: Mapping[str, Mapping[str, tuple[Value, Answer]]], *, interval: bool = False) -> Agreement:
    """How much the annotators agree, over the rows that two or more of them labelled."""
    people = tuple(sorted({who for each in said.values() for who in each}))
    shared = [{who: value for who, (value, _) in each.items()} for each in said.values() if len(each) > 1]
    rows: list[list[Any]] = [list(each.values()) for each in shared]
    both = [(each[people[0]], each[people[1]]) for each in shared] if len(people) == 2 else []
    even = len({len(labels) for labels in rows}) == 1
    return Agreement(
        annotators=people,
        rows=len(rows),
        percent=percent(rows),
        cohen=cohen(both) if both and not interval else None,
        fleiss=fleiss(rows) if even and not interval else None,
        krippendorff=krippendorff(rows, interval=interval),
    )


def _heard(answers: Iterable[Answer], tasks: frozenset[str], column: Column | None) -> _Heard:
    heard = _Heard()
    for answer in answers:
        if answer.task not in tasks:
            heard.problems.append(_problem(answer, f"the sample has no row {answer.task!r:.60}"))
            continue
        if answer.value is None:
            continue
        value, why = typed(answer.value, column)
        if value is None:
            heard.problems.append(_problem(answer, f"row {answer.task}: {why}"))
            heard.wrong.add(answer.task)
            continue
        before = heard.said[answer.task].get(answer.annotator)
        if before is None:
            heard.said[answer.task][answer.annotator] = (value, answer)
        elif before[0] != value:
            place = Place(file=before[1].file, line=before[1].line)
            what = f"row {answer.task}: {answer.annotator} says {value!r} here and {before[0]!r} in {place}"
            heard.problems.append(_problem(answer, what))
    return heard


def typed(text: str, column: Column | None) -> tuple[Value | None, str]:
    """A label as the schema has it, or None and why it cannot be one. Without a schema labels are whole numbers."""
    kind = family(column.type) if column else "int"
    value: Value | None = None
    match kind:
        case "int":
            value = int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else None
        case "float":
            value = _number(text)
        case "bool":
            value = _WORDS.get(text.lower())
        case _:
            value = text
    if value is None:
        return None, f"{text!r:.40} is no {kind}"
    if column is not None and column.enum is not None and value not in column.enum:
        return None, f"{value!r:.40} is no label; allowed: {', '.join(map(str, column.enum))}"
    if column is not None and column.range is not None and isinstance(value, (int, float)):
        low, high = column.range[0], column.range[1]
        if (low is not None and value < low) or (high is not None and value > high):
            return None, f"{value!r} is outside of {low} to {high}"
    return value, ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _one(said: Mapping[str, tuple[Value, Answer]], resolve: str) -> Value | Problem:
    values = {who: value for who, (value, _) in said.items()}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    last = list(said.values())[-1][1]
    told = ", ".join(f"{value!r} ({who})" for who, value in sorted(values.items()))
    if resolve == MEDIAN:
        numbers = sorted(float(value) for value in values.values() if not isinstance(value, str))
        if len(numbers) < len(values):
            return _problem(last, f"row {last.task}: {told} have no median")
        return numbers[(len(numbers) - 1) // 2] if len(numbers) % 2 else sum(numbers[len(numbers) // 2 - 1 :][:2]) / 2
    if resolve.startswith(ANNOTATOR):
        who = resolve.removeprefix(ANNOTATOR)
        return values[who] if who in values else _problem(last, f"row {last.task}: {told}, and nothing of {who}")
    (best, times), *others = Counter(values.values()).most_common()
    if others and others[0][1] == times:
        what = f"row {last.task}: a tie: {told}; let one more person label it, or --resolve annotator:NAME"
        return _problem(last, what)
    return best


def _problem(answer: Answer, what: str) -> Problem:
    return Problem(where=Place(file=answer.file, line=answer.line), field="", what=what)
