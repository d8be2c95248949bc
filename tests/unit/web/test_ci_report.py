"""The comment of a pull request from what is known, part by part."""

from __future__ import annotations

from typing import Any

import pytest

from gatewright.domain.forge import LIMITS
from gatewright.domain.gate import Judgement
from gatewright.rules.plan import InputChange, Plan, StagePlan
from gatewright.web.ci_report import CiReport, Halt, ci_markdown, standing
from gatewright.web.subject import subject_of_run
from tests.unit.web.judgements import handoff, handoffs, subject, verdict_body

LIMIT = LIMITS["github"]
HURTS = "/close <b>x</b> | [y](https://evil.example) @acme/team #12 `z`"


def plan(action: Any, **more: Any) -> Plan:
    return Plan(**{"action": action, "why": "data changed", "changes": (), "stages": (), **more})


@pytest.mark.parametrize(
    ("report", "head", "state"),
    [
        (CiReport(model="toy", subject=subject()), "# ❌ toy: fail", "fail"),
        (CiReport(model="toy", halt=Halt(stage="train", began=True)), "# ❌ toy: stopped at train", "stopped"),
        (CiReport(model="toy", halt=Halt(stage="gate", began=False)), "# ⏳ toy: gate has not run", "unfinished"),
        (CiReport(model="toy", error="broken"), "# ❌ toy: no run", "error"),
        (CiReport(model="toy", plan=plan("blocked")), "# ❌ toy: blocked", "blocked"),
        (CiReport(model="toy", plan=plan("nothing")), "# ⏭️ toy: nothing to do", "nothing"),
        (CiReport(model="toy", plan=plan("everything")), "# ⏳ toy: no run", "unfinished"),
        (CiReport(model="toy"), "# ⏳ toy: no run", "unfinished"),
    ],
)
def test_the_verdict_stands_first(report: CiReport, head: str, state: str) -> None:
    assert ci_markdown(report, LIMIT).splitlines()[0] == head
    assert standing(report) == state


def test_every_part_has_its_place() -> None:
    changes = (InputChange(what="data", kind="append", before="acs v1", now="acs v2"),)
    stages = (StagePlan(stage="train", runs=True, why="data changed"),)
    known = CiReport(model="toy", subject=subject(), plan=plan("everything", changes=changes, stages=stages))
    page = ci_markdown(known, LIMIT)
    heads = [line for line in page.splitlines() if line.startswith(("# ", "## ", "---"))]
    assert heads == [
        "# ❌ toy: fail", "## Gates", "## Waivers", "## Changes, the worst first", "## Plan: ▶️ Everything runs",
        "## Latency", "## Warnings", "## Made from", "---",
    ]  # fmt: skip


def test_foreign_text_stays_text_wherever_it_stands() -> None:
    finding = {"where": HURTS, "rule": "r", "what": HURTS}
    check = {"check": HURTS, "status": "failed", "summary": HURTS, "findings": [finding]}
    change = InputChange(what=HURTS, kind="content", before=HURTS, now=HURTS, why=HURTS)
    report = CiReport(
        model=HURTS, error=HURTS, halt=Halt(stage="validate", began=True, why=HURTS, checks=(check,)),
        plan=plan("everything", why=HURTS, changes=(change,), stages=(StagePlan(stage="train", runs=True, why=HURTS),)),
        compared=HURTS, links=((HURTS, "https://a.example/x"), ("bad", "https://a.example/) [evil](x"),
                               ("worse", "javascript:alert(1)")),
    )  # fmt: skip
    page = ci_markdown(report, LIMIT)
    for bad in ("<b>", "](https://evil", "https://evil", "@acme", "#12", "`z`", "\n/close", "evil](x", "javascript"):
        assert bad not in page, bad
    assert page.count("https://a.example/x") == 1


def test_of_many_findings_the_first_are_told() -> None:
    findings = [{"where": f"a.py:{line}", "rule": "F401", "what": "unused"} for line in range(30)]
    check = {"check": "ruff", "status": "failed", "summary": "30 findings", "findings": findings}
    page = ci_markdown(CiReport(model="toy", halt=Halt(stage="validate", began=True, checks=(check,))), LIMIT)
    assert page.count("F401: unused") == 20
    assert "  - … and 10 more" in page


def test_a_run_without_gates_has_no_table_of_them() -> None:
    old = handoff("gate", "failed", **verdict_body(Judgement(results=(), warnings=("the set is too old",))))
    found = subject_of_run("r1", {**handoffs(), "verdict": old}, [])
    assert "## Gates" not in ci_markdown(CiReport(model="toy", subject=found), LIMIT)


@pytest.mark.parametrize("limit", [400, 1000, 2000])
def test_it_is_never_longer_than_allowed(limit: int) -> None:
    page = ci_markdown(CiReport(model="toy", subject=subject(), links=(("job", "https://a.example/x"),)), limit)
    assert len(page.encode()) <= limit
    assert "… more was measured than fits here" in page
    assert "[job](https://a.example/x)" in page
