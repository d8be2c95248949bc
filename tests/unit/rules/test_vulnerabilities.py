"""Severity by CVSS, the policy, allowances, and findings as SARIF."""

from __future__ import annotations

from datetime import date

import pytest

from gatewright.domain.project import Allowance, FailOn
from gatewright.rules.sarif import sarif_of
from gatewright.rules.vulnerabilities import Severity, Vulnerability, _base_score, judge, severity

TODAY = date(2026, 6, 1)
FOUND = Vulnerability(where="leaky 1.0", id="PYSEC-1", aliases=("CVE-1",), fixed=("2.0",), severity="medium")


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        # Examples of the CVSS v3.1 user guide and of published records.
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 7.5),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
        ("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:4.0/AV:N", None),
        ("", None),
    ],
)
def test_base_scores(vector: str, score: float | None) -> None:
    assert _base_score(vector) == score


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}, "critical"),
        ({"database_specific": {"severity": "MODERATE"}}, "medium"),
        ({"severity": [{"type": "CVSS_V3", "score": "?"}], "database_specific": {"severity": "LOW"}}, "low"),
        ({}, "unknown"),
    ],
)
def test_severity_of_a_record(record: object, expected: Severity) -> None:
    assert severity(record) == expected


@pytest.mark.parametrize(
    ("fail_on", "severity", "fixed", "fails"),
    [
        ("any", "low", (), True),
        ("fixable", "critical", (), False),
        ("fixable", "low", ("2",), True),
        ("high", "medium", ("2",), False),
        ("medium", "medium", (), True),
        ("critical", "unknown", (), True),
    ],
)
def test_the_policy(fail_on: FailOn, severity: Severity, fixed: tuple[str, ...], fails: bool) -> None:
    found = Vulnerability(where="x 1", id="A", severity=severity, fixed=fixed)
    judged = judge([found], fail_on=fail_on, allow=(), today=TODAY)
    assert (bool(judged.failing), bool(judged.let_through)) == (fails, not fails)


def test_allowances_hold_through_their_day_and_unused_ones_are_told() -> None:
    def one(id: str, expires: date) -> Allowance:
        return Allowance(id=id, reason="not reached", by="ada", expires=expires)

    held = judge([FOUND], fail_on="any", allow=(one("CVE-1", TODAY), one("CVE-9", TODAY)), today=TODAY)
    assert (held.failing, held.unused) == ((), ("CVE-9",))
    assert held.let_through == ("PYSEC-1 in leaky 1.0, allowed until 2026-06-01 by ada: not reached",)
    over = judge([FOUND], fail_on="critical", allow=(one("PYSEC-1", date(2026, 5, 31)),), today=TODAY)
    assert [what for _, what in over.failing] == ["medium, fixed in 2.0 (CVE-1); ada allowed it until 2026-05-31"]


def test_findings_stand_in_their_lines_and_packages_in_the_requirements() -> None:
    lint = {"check": "ruff", "status": "failed", "summary": "", "findings": [
        {"where": "training/a.py:3:7", "rule": "F401", "what": "unused"}]}  # fmt: skip
    audit = {"check": "pip-audit", "status": "failed", "summary": "", "findings": [
        {"where": "leaky 1.0", "rule": "PYSEC-1", "what": "fixed in 2.0"}]}  # fmt: skip
    silent = {"check": "uv-audit", "status": "unavailable", "summary": "no answer", "findings": []}
    runs = sarif_of([lint, audit, silent], dependencies="requirements.txt")["runs"]
    places = [run["results"][0]["locations"][0]["physicalLocation"] for run in runs[:2]]
    assert places[0] == {
        "artifactLocation": {"uri": "training/a.py"}, "region": {"startLine": 3, "startColumn": 7}
    }  # fmt: skip
    assert places[1] == {"artifactLocation": {"uri": "requirements.txt"}}
    assert runs[2]["results"] == []
    assert runs[2]["invocations"][0]["executionSuccessful"] is False
