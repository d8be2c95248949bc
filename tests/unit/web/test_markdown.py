"""A run as a page: verdict first, then what it rests on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gatewright.store.runs import Handoff
from gatewright.web.markdown import run_markdown

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
SIMPLE = {"demographic_parity_diff": 0.01, "latency_p99_ms": 1.0}


def handoff(stage: str, status: str = "passed", outputs: dict[str, str] | None = None, **body: Any) -> Handoff:
    return Handoff(
        run="r1",
        stage=stage,
        status=status,
        started_at=AT,
        ended_at=AT + timedelta(seconds=2),
        outputs=outputs or {},
        body=body,
    )


def handoffs() -> dict[str, Handoff]:
    pinned = {"name": "acs", "version": "v1", "digest": "sha256:1", "rows": 1200}
    lock = handoff(
        "open",
        model="toy",
        reasons=["data: a → b"],
        train=pinned,
        evaluation=pinned,
        commit="c" * 40,
        config="sha256:2",
    )
    report = handoff(
        "evaluate",
        overall_accuracy=0.8,
        slices={"SEX=1": 0.7, "SEX=2": 0.9},
        baseline={"overall_accuracy": 0.79, "slices": {"SEX=1": 0.78, "SEX=2": 0.8}, **SIMPLE},
        counts={"overall": {"rows": 900}, "slices": {"SEX=1": {"rows": 400}, "SEX=2": {"rows": 500}}},
        warnings=["dependencies were NOT audited"],
        **SIMPLE,
    )
    failed = {"gate": "slices", "verdict": "fail", "why": "SEX=1 drops | by 0.08\nand more"}
    verdict = handoff(
        "gate", "failed", results=[failed], skipped=["latency"], warnings=["dependencies were NOT audited"]
    )
    return {"lock": lock, "evaluation-report": report, "verdict": verdict}


def test_the_page_of_a_run_that_a_gate_stopped() -> None:
    page = run_markdown("r1", handoffs(), [])
    lines = page.splitlines()
    assert lines[0] == "# toy: open"
    assert "Run `r1`, because data: a → b." in lines
    assert "| ❌ | slices | SEX=1 drops \\| by 0.08<br>and more |" in lines
    assert "| ⏭️ | latency | left out by request |" in lines
    assert lines.index("| SEX=1 | 400 | 0.7800 | 0.7000 | -0.0800 |") < lines.index(
        "| SEX=2 | 500 | 0.8000 | 0.9000 | +0.1000 |"
    )
    assert "| **all rows** | 900 | 0.7900 | 0.8000 | +0.0100 |" in lines
    assert page.count("- dependencies were NOT audited") == 1


def test_a_run_that_was_only_opened_has_a_page() -> None:
    assert "| training data | `acs` v1 | 1,200 rows |" in run_markdown("r1", {"lock": handoffs()["lock"]}, [])
