"""What people read most: status, rollout status, records, runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatewright.cli import status, watch
from gatewright.domain.errors import Interrupted, StageFailed
from gatewright.domain.records import DeploymentRecord
from gatewright.engine import pipeline
from gatewright.store.database import Database
from gatewright.store.records import Event, Records
from gatewright.store.runs import Handoff, RunFolder, Runs
from tests.unit.cli.conftest import Shell
from tests.unit.cli.snapshots import assert_snapshot

AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
OLD, NEW = "sha256:" + "dba926510592".ljust(64, "0"), "sha256:" + "a47cc6502275".ljust(64, "0")
INPUTS = {
    "train": "toy-train 2016-12-31-3c8bb6b6", "train_digest": NEW, "evaluation": "toy-eval 2017-12-31-03df9ed0",
    "evaluation_digest": OLD, "commit": "8e5c572c42", "config": NEW,
}  # fmt: skip


def opened_run(root: Path, name: str, stages: dict[str, str], why: str = "code: 0400c885 → 8e5c572c") -> RunFolder:
    run = Runs(root / ".gatewright" / "runs").create(name)
    lock = {"model": "toy", "reasons": [why], "inputs_of_run": INPUTS}
    handoffs = {"lock": ("open", "passed", lock), **{key: (key, value, {}) for key, value in stages.items()}}
    for number, (key, (stage, state, body)) in enumerate(handoffs.items()):
        ended = AT + timedelta(seconds=1.3 * number)
        run.write(key, Handoff(run=name, stage=stage, status=state, started_at=AT, ended_at=ended, body=body))
    return run


def ended_run(root: Path, name: str, kind: str, why: str) -> None:
    run = opened_run(root, name, {"validation": "passed"})
    body = {"record": {"why": why}}
    run.write(
        "deployment-record",
        Handoff(run=name, stage="rollout finish", status=kind, started_at=AT, ended_at=AT, body=body),
    )


@pytest.fixture
def runs(workspace: Path) -> Path:
    ended_run(workspace, "20260314-092653-aaaa", "promoted", "all traffic is on the new version, read back")
    ended_run(workspace, "20260314-102653-bbbb", "stopped", "gate: slices: RAC1P=6\nand more")
    opened_run(workspace, "20260314-112653-cccc", {"validation": "passed", "candidate": "passed"})
    return workspace


def test_runs_list(shell: Shell, runs: Path) -> None:
    assert_snapshot("views/runs-list", shell("runs", "list").out)
    rows = json.loads(shell("runs", "list", "--output", "json").out)
    assert [(row["state"], row["next"]) for row in rows] == [
        ("promoted", None),
        ("stopped", None),
        ("open", "evaluate"),
    ]


def test_runs_list_tells_a_run_that_is_worked_on(shell: Shell, runs: Path) -> None:
    with Runs(runs / ".gatewright" / "runs").get("20260314-112653-cccc").hold():
        assert json.loads(shell("runs", "list", "--output", "json").out)[-1]["state"] == "working"


def test_runs_show(shell: Shell, runs: Path) -> None:
    assert_snapshot("views/runs-show", shell("runs", "show", "20260314-112653-cccc").out)
    assert "promoted: all traffic" in shell("runs", "show", "20260314-092653-aaaa").out
    shown = json.loads(shell("runs", "show", "20260314-112653-cccc", "--output", "json").out)
    assert [row["handoff"] for row in shown["handoffs"]] == ["lock", "validation", "candidate"]


def test_runs_abort(shell: Shell, runs: Path) -> None:
    assert shell("runs", "abort", "20260314-112653-cccc", "--by", "ada").out == (
        "run 20260314-112653-cccc: aborted, given up by ada\n"
    )
    assert json.loads(shell("runs", "list", "--output", "json").out)[-1]["state"] == "aborted"


def chain(root: Path) -> tuple[DeploymentRecord, ...]:
    records = Records(Database(root / ".gatewright" / "state.db"))
    for kind, why in (
        ("started", "version 2 against 1"),
        ("step", "the canary is ready: 5 %"),
        ("rolled_back", "errors: the canary fails 9.80% of its requests\nand more"),
    ):
        event = Event(at=AT, kind=kind, run="r", model="toy", why=why, rollout="toy-2-ab", before=OLD, after=NEW)
        records.append(event)
    records.append(Event(at=AT, kind="stopped", run="s", model="toy", why="validate: ruff: 3 lint errors"))
    return records.all()


def test_records(shell: Shell, workspace: Path) -> None:
    assert shell("records").out == "no record yet: gatewright run\n"
    found = chain(workspace)
    assert_snapshot("views/records", shell("records").out)
    assert [each["seq"] for each in json.loads(shell("records", "--output", "json").out)] == [1, 2, 3, 4]
    assert shell("records", "verify").out == f"4 records verified, head {found[-1].digest}\n"


def test_options_of_the_family_reach_its_verb(
    shell: Shell, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(workspace)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = shell("records", "-C", str(workspace), "--output", "json", "verify")
    assert json.loads(told.out)["records"] == 4


ROLLOUT: dict[str, Any] = {
    "id": "toy-2-499074", "phase": "progressing", "pause": None, "why": "hold 3 of 8 s, 120 of 221 canary requests",
    "step": 0, "steps": 3, "weight": 5.0, "elsewhere": None, "observed": 5.0, "held_s": 3.1, "hold_s": 8.0,
    "requests": 1200,
    "needed_requests": 2210, "slow_after_ms": 11.352, "projected": "next step", "projected_s": 75.0,
    "standings": [
        {
            "metric": "errors", "canary_share": 0.0, "stable_share": 0.0012, "e_rollback": 0.863,
            "rollback_limit": 333.33, "e_promote": 1.1, "promote_limit": 20.0, "by_reward": False,
            "difference": {"value": -0.0012, "low": -0.0051, "high": 0.0031, "level": 0.95},
        }
    ],
    "drift": None, "slices": None, "shadow": None, "share": None, "mirror": 0.0, "mirror_observed": 0.0,
    "alerts": ["stable"],
    "p99_ms": {
        "canary": {"value": 12.42, "low": 11.83, "high": None, "level": 0.95},
        "stable": {"value": 11.5, "low": 11.2, "high": 12.1, "level": 0.95},
    },
}  # fmt: skip
VIEW: dict[str, Any] = {
    "model": "toy",
    "serving": {"number": 1, "digest": "dba926510592"},
    "astray": None,
    "served_by": "envoy",
    "served_here": True,
    "traffic": {
        "recorded": {"model-a47cc6502275": 5.0, "model-dba926510592": 95.0},
        "observed": {"model-dba926510592": 100.0},
        "error": None,
    },
    "rollout": ROLLOUT,
    "undelivered": [
        {
            "id": "toy-2-499074/7/paused",
            "notifier": "webhook 3f2a9c",
            "tries": 3,
            "given_up": False,
            "error": "POST to ALERTS_URL was answered with 500",
        }
    ],
    "open_runs": ["20260314-112653-cccc", "20260314-122653-dddd"],
    "processes": [
        {"name": "gateway", "state": "ready", "pid": 3624, "port": None, "restarts": 2, "error": None},
        {"name": "model-a47cc6502275", "state": "gone", "pid": 7, "port": 45055, "restarts": 3, "error": "it refused"},
    ],
    "orphans": [4711],
    "quarantined": {"0335c819c6f5": "errors: the canary fails 9.80% of its requests"},
}


def test_status_in_the_middle_of_a_rollout(capsys: pytest.CaptureFixture[str]) -> None:
    status._show(VIEW, {"20260314-122653-dddd"})
    assert_snapshot("views/status", capsys.readouterr().out)


def test_status_of_a_fresh_workspace(shell: Shell, workspace: Path) -> None:
    assert_snapshot("views/status-fresh", shell("status").out)
    assert json.loads(shell("status", "--output", "json").out)["rollout"] is None


@pytest.mark.parametrize(
    ("phase", "pause", "words"),
    [("paused", "manual", "paused (manual)  step 1 of 3"), ("promoted", None, "promoted\n")],
)
def test_rollout_in_other_phases(phase: str, pause: str | None, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    status.show_rollout({**ROLLOUT, "phase": phase, "pause": pause, "observed": None})
    assert words in capsys.readouterr().out


def test_quality_and_drift_stand_beside_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    quality = {**ROLLOUT["standings"][0], "metric": "quality", "canary_share": 0.1979, "stable_share": 0.0797}
    drift = {
        "what": "prediction 1", "canary_share": 0.62, "stable_share": 0.5, "canary_n": 900, "limit": 1000.0,
        "e_pause": 1630.4, "pause_margin": 0.05, "drifted": True, "e_rollback": 0.5, "rollback_margin": 0.2,
        "degraded": False,
    }  # fmt: skip
    standings = [*ROLLOUT["standings"], quality]
    status.show_rollout({**ROLLOUT, "phase": "paused", "pause": "drift", "standings": standings, "drift": drift})
    assert_snapshot("views/quality-and-drift", capsys.readouterr().out)


def test_slices_are_told_by_the_worst_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    parts = [
        {
            "name": name, "metric": metric, "canary_n": 1152.0, "canary_share": share, "stable_share": 0.0797, "e": e,
            "by_reward": False,
        }
        for name, metric, share, e in (
            ("SEX=2", "quality", 0.1979, 13200.0), ("SEX=1", "quality", 0.0803, 0.512), ("SEX=2", "errors", 0.08, 0.5),
            ("SEX=1", "errors", 0.0, 0.4),
        )
    ]  # fmt: skip
    slices = {"e": 3300.2, "limit": 1000.0, "degraded": True, "followed": 4, "slices": parts}
    status.show_rollout({**ROLLOUT, "slices": slices})
    told = capsys.readouterr().out
    assert_snapshot("views/slices", told)
    assert "SEX=1         errors" not in told
    assert "slices e 3.3e+03 of 1000 worse, most in SEX=2" in watch.line({**ROLLOUT, "slices": slices})


SHADOW: dict[str, Any] = {
    "asked": 1204, "failed": 3, "answered": 1201, "equal_share": 0.9731, "failed_share": 0.0025, "limit": 1000.0,
    "e_breaker": 0.5, "broken": False, "what": "prediction 1", "difference": 0.0042, "e_pause": 1.0,
    "drifted": False, "e_rollback": 1.0, "degraded": False,
}  # fmt: skip
SHADOWING = {**ROLLOUT, "phase": "shadowing", "weight": 0.0, "observed": 0.0, "mirror": 0.5, "mirror_observed": 0.5}


def test_step_0_tells_of_copies(capsys: pytest.CaptureFixture[str]) -> None:
    status.show_rollout({**SHADOWING, "standings": [], "projected": None, "shadow": SHADOW})
    assert_snapshot("views/shadow", capsys.readouterr().out)
    told = watch.line({**SHADOWING, "standings": [], "projected": None, "shadow": SHADOW})
    assert told.startswith("shadowing step 0 of 3; asked 0 %, is 0 %; hold 3.1 s of 8.0 s; 1,201 of 1,204 copies")
    assert watch.line({**SHADOWING, "shadow": None}).count("no copy answered yet") == 1


def test_the_draws_stand_beside_the_weight(capsys: pytest.CaptureFixture[str]) -> None:
    share = {"weight": 5.0, "drawn": 1204, "observed": 0.0498, "e": 0.42, "limit": 1000.0, "reapplied": 0, "off": False}
    status.show_rollout({**ROLLOUT, "share": share})
    assert "share     4.98% of 1,204 draws fell on the canary (e 0.42 of 1000)\n" in capsys.readouterr().out
    status.show_rollout({**ROLLOUT, "share": {**share, "reapplied": 1}})
    assert "(e 0.42 of 1000, written again 1 times)\n" in capsys.readouterr().out
    status.show_rollout({**ROLLOUT, "share": {**share, "drawn": 0, "observed": None}})
    assert "draws" not in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["abort", "pause", "resume", "approve", "promote"])
def test_verbs_without_a_rollout_do_nothing(verb: str, shell: Shell, workspace: Path) -> None:
    assert shell("rollout", verb).out == "no rollout is in progress: nothing to do\n"
    assert shell("rollout", verb, "--output", "json").out == "null\n"


def test_status_says_that_the_registry_cannot_be_asked(
    shell: Shell, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = workspace / "gatewright.yaml"
    config.write_text(config.read_text() + "\nregistry: {kind: mlflow, tracking_uri: 'http://127.0.0.1:1'}\n")
    monkeypatch.setattr("gatewright.workspace.SystemClock.sleep", lambda *_: None)
    shown = shell("status")
    assert shown.code == 0
    assert "the MLflow server http://127.0.0.1:1 cannot be reached" in shown.out


def test_serve_status_and_stop_without_a_supervisor(shell: Shell, workspace: Path) -> None:
    told = shell("serve", "status", "--output", "json")
    assert told.code == 4
    assert json.loads(told.out) == {"runs": False, "address": "http://127.0.0.1:8080", "processes": []}
    assert shell("serve", "stop", "--output", "json").out == '{\n  "stopped": false\n}\n'


def replace_gate(monkeypatch: pytest.MonkeyPatch, work: pipeline.Work) -> None:
    stages = (
        pipeline.Stage(name=stage.name, handoff=stage.handoff, work=work) if stage.name == "gate" else stage
        for stage in pipeline.STAGES
    )
    monkeypatch.setattr(pipeline, "STAGES", tuple(stages))


def test_a_failing_stage_still_hands_its_document_to_programs(
    shell: Shell, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = opened_run(workspace, "20260314-112653-cccc", {})

    def failing(*_: object) -> Handoff:
        body = {"verdict": "fail"}
        run.write("verdict", Handoff(run=run.id, stage="gate", status="failed", started_at=AT, ended_at=AT, body=body))
        raise StageFailed("slices: RAC1P=6 drops by 0.18", final=False)

    replace_gate(monkeypatch, failing)
    told = shell("gate", "--run", run.id, "--output", "json")
    assert told.code == 1
    assert json.loads(told.out)["status"] == "failed"
    assert json.loads(told.err)["error"] == "slices: RAC1P=6 drops by 0.18"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), Interrupted("python was interrupted after 3 s")])
def test_ctrl_c_names_the_run_to_go_on_with(
    interruption: BaseException, shell: Shell, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = opened_run(workspace, "20260314-112653-cccc", {})

    def interrupted(*_: object) -> Handoff:
        raise interruption

    replace_gate(monkeypatch, interrupted)
    told = shell("gate", "--run", run.id)
    assert told.code == 130
    assert "interrupted in stage gate" in told.err
    assert f"gatewright run --resume {run.id}" in told.err
