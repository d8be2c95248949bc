"""`gatewright gate REPORT`: what is printed, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatewright.cli.gate_files import gate_report_files
from gatewright.domain.errors import ReportError, UnusableInput
from gatewright.domain.gate import OverallGate
from gatewright.domain.project import GatesSection

BASELINE: dict[str, Any] = {
    "overall_accuracy": 0.92,
    "slices": {"SEX=1": 0.91, "SEX=2": 0.93, "RAC1P=6": 0.9},
    "demographic_parity_diff": 0.1,
    "latency_sla_p99_ms": 250,
}
CANDIDATE: dict[str, Any] = {**BASELINE, "latency_p99_ms": 120}


@pytest.fixture
def gate(tmp_path: Path) -> Any:
    def run(candidate: dict[str, Any], *skip: str, output: str = "text", **options: Any) -> int:
        report, baseline = tmp_path / "eval.json", tmp_path / "production.json"
        report.write_text(json.dumps(candidate), encoding="utf-8")
        baseline.write_text(json.dumps(BASELINE), encoding="utf-8")
        return gate_report_files(report, baseline, skip, output, **options)

    return run


def test_pass(gate: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(CANDIDATE) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["PASS", "overall"],
        ["PASS", "slices"],
        ["PASS", "fairness"],
        ["PASS", "latency"],
    ]
    assert lines[4:] == ["4 of 4 gates passed"]


def test_failing_gates_come_first_with_their_numbers(gate: Any, capsys: pytest.CaptureFixture[str]) -> None:
    slices = {"SEX=1": 0.8, "SEX=2": 0.93, "RAC1P=6": 0.7}
    assert gate({**CANDIDATE, "slices": slices, "latency_p99_ms": 251}) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "FAIL          slices    2 of 3 slices drop by more than 0.04; the worst is RAC1P=6: 0.7"
    )
    assert lines[1].strip() == "SEX=1: worse by 0.11 (0.8000, baseline 0.9100)"
    assert lines[2] == "FAIL          latency   p99 latency 251 ms is above the baseline's SLA of 250 ms"
    assert lines[-1] == "2 of 4 gates passed: the model goes no further"


def test_a_skipped_gate_is_recorded(gate: Any, capsys: pytest.CaptureFixture[str]) -> None:
    body = {name: value for name, value in CANDIDATE.items() if name != "latency_p99_ms"}
    with pytest.raises(ReportError):
        gate(body)
    assert gate(body, "latency") == 0
    assert "SKIPPED       latency   left out by --skip latency" in capsys.readouterr().out
    assert gate(body, "latency", output="json") == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == ["latency"]


def test_json_holds_everything(gate: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate({**CANDIDATE, "overall_accuracy": 0.8}, output="json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "fail"
    assert document["results"][0]["evidence"]["baseline"] == 0.92


def test_the_gates_of_the_project_count(gate: Any) -> None:
    gates = GatesSection(mode="point", overall=OverallGate(min=0.95), slices=None)
    assert gate(CANDIDATE, gates=gates) == 1


def test_what_cannot_be_skipped(gate: Any) -> None:
    with pytest.raises(UnusableInput, match="there is no gate 'speed'"):
        gate(CANDIDATE, "speed")
    with pytest.raises(UnusableInput, match="no gate is left"):
        gate(CANDIDATE, "overall", "slices", "fairness", "latency")
