"""A report as JUnit XML, which CI servers show as tests: a suite per gate, a case per comparison. Pure.

Written so that it is valid both for Jenkins' junit-10.xsd and for Maven Surefire's surefire-test-report.xsd: properties
stand at the suite, `skipped`, `failure` and `system-out` at the case, in this order.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gatewright.domain.gate import Comparison, GateResult, Judgement, Verdict, Waiver
from gatewright.web import words
from gatewright.web.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One test: its outcome is `passed`, `failure` or `skipped`, of a failure with its type."""

    name: str
    outcome: str
    message: str = ""
    kind: str = ""
    out: str = ""


def junit(subject: Subject) -> str:
    """An XML document. FAIL is a failure; INCONCLUSIVE one of type `inconclusive` when it stops the run, else skipped.

    A waived comparison passes and says who waived it. Skipped gates are suites of one skipped case. Without a verdict
    there are no suites.
    """
    root = ET.Element("testsuites", name=words.clean(f"gatewright {subject.model} {subject.run or ''}".strip()))
    if subject.recorded is not None:
        judgement = subject.recorded.judgement
        for result in judgement.results:
            _suite(root, result.gate, list(_cases(result, judgement)), _properties(result, judgement))
        for name in judgement.skipped:
            _suite(root, name, [_Case(name=name, outcome="skipped", message="left out by request")], {})
        if not judgement.results and subject.recorded.verdict is Verdict.FAIL:
            case = _Case(name="evaluation set", outcome="failure", kind="fail", message=subject.verdict_words)
            _suite(root, "evaluation", [case], {})
    for count, outcome in (("tests", None), ("failures", "failure")):
        root.set(count, str(len(list(root.iter(outcome or "testcase")))))
    root.set("errors", "0")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, cases: list[_Case], properties: dict[str, str]) -> None:
    def count(outcome: str) -> str:
        return str(sum(case.outcome == outcome for case in cases))

    suite = ET.SubElement(
        root, "testsuite", name=name, tests=str(len(cases)), failures=count("failure"), errors="0",
        skipped=count("skipped"), time="0",
    )  # fmt: skip
    if properties:
        holder = ET.SubElement(suite, "properties")
        for key, value in properties.items():
            ET.SubElement(holder, "property", name=words.clean(key), value=words.clean(value))
    for case in cases:
        _write(suite, name, case)


def _write(suite: ET.Element, gate: str, case: _Case) -> None:
    element = ET.SubElement(suite, "testcase", name=words.clean(case.name), classname=f"gatewright.{gate}", time="0")
    message = words.clean(case.message)
    if case.outcome == "skipped":
        ET.SubElement(element, "skipped", message=message)
    elif case.outcome == "failure":
        failure = ET.SubElement(element, "failure", message=message.partition("\n")[0], type=case.kind)
        failure.text = message
    if case.out:
        ET.SubElement(element, "system-out").text = words.clean(case.out)


def _properties(result: GateResult, judgement: Judgement) -> dict[str, str]:
    """What belongs to the gate as a whole; the waivers that name it."""
    found = {"verdict": result.verdict.value, "mode": judgement.mode}
    found |= {"alpha": f"{result.alpha:g}"} if result.alpha is not None else {}
    found |= {"a_a": f"{result.a_a:g}"} if result.a_a is not None else {}
    return found | {
        f"waiver:{waiver.slice or result.gate}": _waived(waiver)
        for waiver in judgement.waivers
        if waiver.gate == result.gate
    }


def _cases(result: GateResult, judgement: Judgement) -> Iterator[_Case]:
    """The comparisons, and the gate itself when none of them shows why it says what it says."""
    blocks = result.verdict is Verdict.INCONCLUSIVE and not result.warns
    explained = any(each.verdict is result.verdict and words.standing(each) != "waived" for each in result.comparisons)
    if not explained:
        yield _gate_case(result, blocks)
    slices = Counter(each.slice for each in result.comparisons)
    for each in words.worst_first(result.comparisons):
        name = f"{each.slice} [{each.metric}, {each.kind}]" if slices[each.slice] > 1 else each.slice
        yield _comparison_case(name, result, each, blocks, judgement)


def _gate_case(result: GateResult, blocks: bool) -> _Case:
    name = f"{result.gate} gate"
    match result.verdict:
        case Verdict.PASS:
            return _Case(name=name, outcome="passed", out=result.why)
        case Verdict.FAIL:
            return _Case(name=name, outcome="failure", kind="fail", message=result.why)
        case Verdict.INCONCLUSIVE:
            return _Case(name=name, outcome="failure" if blocks else "skipped", kind="inconclusive", message=result.why)


def _comparison_case(name: str, result: GateResult, each: Comparison, blocks: bool, judgement: Judgement) -> _Case:
    told = _told(each)
    match words.standing(each):
        case "pass":
            return _Case(name=name, outcome="passed", out=told)
        case "waived":
            waiver = next(
                (one for one in judgement.waivers if one.gate == result.gate and one.slice in (None, each.slice)), None
            )
            reason = _waived(waiver) if waiver else f"by {each.waived_by}"
            return _Case(name=name, outcome="passed", out=f"waived, {reason}\n{told}")
        case "fail":
            return _Case(name=name, outcome="failure", kind="fail", message=told)
        case "inconclusive":
            return _Case(name=name, outcome="failure" if blocks else "skipped", kind="inconclusive", message=told)


def _told(each: Comparison) -> str:
    """The numbers in one line."""
    parts = [f"{each.metric}: {words.number(each.candidate)}"] if each.candidate is not None else [each.metric]
    parts += [f"baseline {words.number(each.baseline)}"] if each.baseline is not None else []
    parts += [f"change {words.change(each)}"] if words.change_of(each) else []
    parts += [f"limit {words.number(-each.limit if each.kind == 'change' else each.limit)}"] if each.limit else []
    parts += [f"adjusted p {words.p_value(each.p_adjusted)}"] if each.p_adjusted is not None else []
    parts += [f"smallest harm that would be found {words.number(each.mde)}"] if each.mde is not None else []
    parts += [f"about {each.needed_rows:,} rows needed"] if each.needed_rows else []
    return "; ".join([*parts, f"{each.rows:,} rows", *([each.note] if each.note else [])])


def _waived(waiver: Waiver) -> str:
    return f"by {waiver.by} until {waiver.expires}: {waiver.reason}"
