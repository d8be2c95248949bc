"""The comment of a pull request: the verdict first, then what it rests on, within what a comment may hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatewright.domain.evaluation import Latency
from gatewright.rules.ci_links import safe_link
from gatewright.rules.data_diff import DataDifference
from gatewright.rules.markdown_text import code, table, text
from gatewright.rules.plan import Plan
from gatewright.web import words
from gatewright.web.data_markdown import data_markdown
from gatewright.web.markdown import MARKS, bounded, details, gates, lineage, slices, waivers, warnings
from gatewright.web.plan_markdown import plan_markdown
from gatewright.web.subject import Subject, sla_of
from gatewright.web.validation_words import breach

_WHY, _FINDINGS = 1500, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """The stage that a run has not passed. `began`: it was tried; `why` says what came of it, where that is known.

    `checks` are those of stage validate that failed or could not run, as validation.json has them.
    """

    stage: str
    began: bool
    why: str = ""
    checks: tuple[Mapping[str, Any], ...] = ()
    reports: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CiReport:
    """What is known of a change. Without `subject` no run was opened for it, and `error` or `plan` says why.

    `compared` is what the plan compares with, `commit` the code, `links` texts with addresses.
    """

    model: str
    subject: Subject | None = None
    halt: Halt | None = None
    error: str = ""
    plan: Plan | None = None
    compared: str = ""
    commit: str = ""
    data: tuple[DataDifference, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


def ci_markdown(report: CiReport, limit: int) -> str:
    """The whole comment in at most `limit` bytes of UTF-8; what is left out is said, the links stay."""
    foot = "\n".join(_foot(report))
    lines: list[str] = []
    for section in (_headline, _judged, _halted, _data, _plan, _latency, _rest):
        if told := list(section(report)):
            lines += ["", *told] if lines else told
    return f"{bounded(lines, limit - _size(foot) - 3, _size)}\n\n{foot}\n"


def standing(report: CiReport) -> str:
    """One word for programs: pass, fail, inconclusive, stopped, unfinished, blocked, nothing or error."""
    if report.subject is not None and report.subject.recorded is not None:
        return report.subject.recorded.verdict.value
    if report.halt is not None:
        return "stopped" if report.halt.began else "unfinished"
    if report.error:
        return "error"
    return (
        report.plan.action if report.plan is not None and report.plan.action in ("blocked", "nothing") else "unfinished"
    )


def _headline(report: CiReport) -> Iterator[str]:
    mark, what, why = _verdict(report)
    yield f"# {mark} {text(report.model)}: {what}"
    yield ""
    yield text(why, _WHY)
    subject = report.subject
    if subject is not None and subject.told:
        yield ""
        yield f"_{text(subject.told, _WHY)}_"
    if subject is not None and subject.reasons:
        yield ""
        yield f"Run `{code(subject.run or '')}`, because {text('; '.join(subject.reasons), _WHY)}."


def _verdict(report: CiReport) -> tuple[str, str, str]:
    """Mark, state and sentence."""
    subject, halt, plan = report.subject, report.halt, report.plan
    if subject is not None and subject.recorded is not None:
        verdict = subject.recorded.verdict.value
        return MARKS[verdict], verdict, subject.verdict_words
    if halt is not None and halt.began:
        return "❌", f"stopped at {halt.stage}", halt.why or f"Stage {halt.stage} did not pass."
    if halt is not None:
        return "⏳", f"{halt.stage} has not run", f"The stages before {halt.stage} passed; nothing is decided yet."
    if report.error:
        return "❌", "no run", report.error
    match plan.action if plan is not None else None:
        case "blocked":
            return "❌", "blocked", "No run was opened: the data breaks who reads it."
        case "nothing":
            return "⏭️", "nothing to do", "No run was opened: every input is the same as in the last promoted run."
    return "⏳", "no run", "No run was opened for this commit."


def _judged(report: CiReport) -> Iterator[str]:
    if report.subject is not None:
        yield from _joined(list(part(report.subject)) for part in (gates, waivers, slices))


def _halted(report: CiReport) -> Iterator[str]:
    halt = report.halt
    if halt is None or not (halt.checks or halt.reports):
        return
    yield f"## Findings of {halt.stage}"
    yield ""
    for check in halt.checks:
        yield f"- **{text(str(check['check']))}** {text(str(check['status']))}: {text(str(check['summary']))}"
        found = check.get("findings") or ()
        for each in found[:_FINDINGS]:
            told = "" if each["rule"] in each["what"] else f"{each['rule']}: "
            yield f"  - {text(each['where'])}: {text(told + each['what'], 500)}"
        if len(found) > _FINDINGS:
            yield f"  - … and {len(found) - _FINDINGS:,} more"
    for data in halt.reports:
        for found in data.get("violations", ()):
            yield f"- {text(breach(found), 500)}"


def _data(report: CiReport) -> Iterator[str]:
    yield from _joined(data_markdown(each).splitlines() for each in report.data)


def _plan(report: CiReport) -> Iterator[str]:
    if report.plan is not None:
        yield from plan_markdown(report.plan, report.compared).splitlines()


def _latency(report: CiReport) -> Iterator[str]:
    measured = report.subject.measured if report.subject is not None else None
    if report.subject is None or measured is None or measured.candidate_latency is None:
        return
    yield "## Latency"
    yield ""
    rows = [_milliseconds("candidate", measured.candidate_latency)]
    if measured.baseline_latency is not None:
        rows.append(_milliseconds("baseline", measured.baseline_latency))
    yield from table(("", "p50, ms", "p99, ms", "p99 at most (95 %), ms", "calls"), rows)
    if (sla := sla_of(report.subject)) is not None:
        yield ""
        yield f"The gate allows {words.number(sla, 1)} ms."


def _milliseconds(name: str, found: Latency) -> tuple[str, ...]:
    return (name, *(words.number(each, 2) for each in (found.p50_ms, found.p99_ms, found.p99_upper_ms)),
            words.whole(found.samples))  # fmt: skip


def _rest(report: CiReport) -> Iterator[str]:
    if report.subject is not None:
        yield from _joined(list(part(report.subject)) for part in (warnings, lineage, details))


def _foot(report: CiReport) -> Iterator[str]:
    yield "---"
    parts = [f"[{text(name, 80)}]({address})" for name, url in report.links if (address := safe_link(url))]
    if report.subject is not None and report.subject.run:
        parts.append(f"run `{code(report.subject.run)}`")
    if report.commit:
        parts.append(f"commit `{code(report.commit)[:12]}`")
    yield " · ".join([*parts, "`gatewright report` shows more"])


def _joined(parts: Iterator[list[str]]) -> Iterator[str]:
    """The parts that say something, with an empty line between them."""
    for index, lines in enumerate(lines for lines in parts if lines):
        yield from ("", *lines) if index else lines


def _size(text: str) -> int:
    """Bytes of UTF-8: never fewer than characters, however a service counts those."""
    return len(text.encode())
