"""JUnit XML: what Jenkins and Surefire allow, and the outcome that each verdict has there."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from gatewright.domain.gate import GateResult, Judgement, Verdict
from gatewright.store.verdicts import RecordedVerdict
from gatewright.web.junit import junit
from gatewright.web.subject import subject_of_run
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.web.judgements import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    compared,
    handoff,
    handoffs,
    judgement,
    lock,
    subject,
)

# Children in their order, and attributes, that both junit-10.xsd and surefire-test-report.xsd allow.
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase"],
    "properties": ["property"],
    "testcase": ["skipped", "failure", "system-out"],
}
ATTRIBUTES = {
    "testsuites": ({"name", "tests", "failures", "errors"}, set()),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, set()),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, set()),
    "skipped": (set(), {"message"}),
    "failure": ({"type"}, {"message"}),
}


def check(element: ET.Element) -> None:
    needed, allowed = ATTRIBUTES.get(element.tag, (set(), set()))
    assert needed <= element.attrib.keys() <= needed | allowed
    order = CHILDREN.get(element.tag, [])
    places = [order.index(child.tag) for child in element]
    assert places == sorted(places)
    for child in element:
        check(child)


def read(judged: Judgement) -> ET.Element:
    root = ET.fromstring(junit(subject(judged)).encode())
    check(root)
    return root


def case(root: ET.Element, gate: str, name: str) -> ET.Element:
    return next(
        each for each in root.iter("testcase") if each.attrib["name"] == name and gate in each.attrib["classname"]
    )


def test_the_whole_document() -> None:
    assert_snapshot("views/report-junit", junit(subject()))


def test_counts_are_those_of_the_cases() -> None:
    root = read(judgement())
    for suite in root:
        cases = list(suite.iter("testcase"))
        assert len({each.attrib["name"] for each in cases}) == len(cases)
        assert suite.attrib["tests"] == str(len(cases))
        assert suite.attrib["failures"] == str(len(list(suite.iter("failure"))))
        assert suite.attrib["skipped"] == str(len(list(suite.iter("skipped"))))
    assert root.attrib["tests"] == "11"
    assert root.attrib["failures"] == "1"


def test_each_verdict_has_its_outcome() -> None:
    root = read(judgement())
    assert [child.tag for child in case(root, "slices", "SEX=1")] == ["system-out"]
    assert case(root, "slices", "RAC1P=6").find("failure").attrib["type"] == "fail"  # type: ignore[union-attr]
    waived = case(root, "slices", "DIS=1")
    assert [child.tag for child in waived] == ["system-out"]
    assert "waived, by ada until 2026-05-01: new labels in May" in (waived.find("system-out").text or "")  # type: ignore[union-attr]
    assert case(root, "slices", "RAC1P=4").find("skipped") is not None
    assert case(root, "calibration", "calibration").find("skipped") is not None


@pytest.mark.parametrize(("warns", "tag"), [(True, "skipped"), (False, "failure")])
def test_an_inconclusive_gate_fails_only_when_it_blocks(warns: bool, tag: str) -> None:
    result = judgement().results[2]
    root = read(Judgement(results=(replace(result, warns=warns),)))
    found = case(root, "fairness", "SEX [demographic_parity_difference, change]").find(tag)
    assert found is not None
    assert found.get("type") == (None if warns else "inconclusive")


@pytest.mark.parametrize(("verdict", "tag"), [(PASS, "system-out"), (FAIL, "failure"), (INCONCLUSIVE, "failure")])
def test_a_gate_without_comparisons_is_a_case_of_its_own(verdict: Verdict, tag: str) -> None:
    # Lone surrogates cannot be in a file, but a program may hand them over.
    result = GateResult(gate="latency", verdict=verdict, why="because\x00 \ud800 of it")
    recorded = RecordedVerdict(verdict=verdict, judgement=Judgement(results=(result,)))
    root = ET.fromstring(junit(replace(subject(), recorded=recorded)).encode())
    assert case(root, "latency", "latency gate").find(tag) is not None


def test_a_failing_gate_whose_failing_slices_are_waived_shows_itself() -> None:
    result = GateResult(
        gate="slices", verdict=FAIL, why="something else", comparisons=(compared("S", 9, FAIL, 0.1, waived_by="ada"),)
    )
    assert case(read(Judgement(results=(result,))), "slices", "slices gate").find("failure") is not None


def test_an_overdue_evaluation_set_is_a_failure() -> None:
    overdue = handoff("gate", "failed", verdict="fail", results=[], warnings=["the evaluation set is 91 days old"])
    root = ET.fromstring(junit(subject_of_run("r1", {**handoffs(), "verdict": overdue}, [])))
    assert root.attrib["failures"] == "1"


def test_a_run_without_a_verdict_has_no_suites() -> None:
    root = ET.fromstring(junit(subject_of_run("r1", {"lock": lock()}, [])))
    assert (len(root), root.attrib["tests"]) == (0, "0")
