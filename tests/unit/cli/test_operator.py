"""Verbs, preflight, watch, daemon and report as a shell sees them, on a rollout with pretended traffic."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatewright.cli import controller, operator, preflight, rollout, rollout_report, watch
from gatewright.domain.duration import Duration
from gatewright.domain.rollout import Phase
from gatewright.domain.shadow import Shadow
from gatewright.engine import operator as engine_operator
from gatewright.engine import runtime
from gatewright.testing import FakeClock
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.scenarios.controlled import World, new_world
from tests.unit.cli.conftest import Shell

STEPS = [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1s", "approval": True}]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Every command opens this one workspace, whose local runtime is never started."""
    monkeypatch.chdir(tmp_path)
    found = new_world(tmp_path, rollout={"steps": STEPS})

    def opened(*_: Any, **__: Any) -> Workspace:
        return found.workspace

    for module in (operator, preflight, rollout, rollout_report):
        monkeypatch.setattr(module, "opened", opened)
    monkeypatch.setattr(controller, "opened_for_any", opened)
    monkeypatch.setattr(Workspace, "open", opened)
    for module in (engine_operator, runtime):
        monkeypatch.setattr(module, "ensure_supervisor", lambda workspace: None)
    return found


def test_approve_lets_the_step_begin_and_says_when_nothing_waits(shell: Shell, world: World) -> None:
    world.until(Phase.PROGRESSING)
    assert "progressing at 20 %" in shell("rollout", "approve", "--by", "ada").out
    told = shell("rollout", "approve", "--by", "grace")
    assert told.out == "r1: nothing to do: step 2 is approved already, by ada\n"
    assert json.loads(shell("rollout", "approve", "--output", "json").out)["weight"] == 20


def test_resume_of_what_waits_for_an_approval_names_the_right_verb(shell: Shell, world: World) -> None:
    world.until(Phase.PAUSED)
    told = shell("rollout", "resume")
    assert told.code == 2
    assert "cannot resume: step 2 (50 %) needs an approval" in told.err
    assert "gatewright rollout approve --by NAME" in told.err


def test_promote_full_and_then_an_abort(shell: Shell, world: World) -> None:
    assert "has no traffic yet" in shell("rollout", "promote", "--full").err
    world.until(Phase.PROGRESSING)
    assert "promoting at 100 %" in shell("rollout", "promote", "--full", "--by", "ada").out
    assert "on its way to 100 % already" in shell("rollout", "promote", "--full").out
    assert "rolled_back at 0 %: aborted by grace" in shell("rollout", "abort", "--by", "grace").out


def test_rollback_and_retry_need_a_reason_and_something_to_act_on(shell: Shell, world: World) -> None:
    assert shell("rollout", "rollback", "--by", "ada").code == 2
    assert "has to end before" in shell("rollout", "rollback", "--reason", "x").err
    world.say("abort")
    world.until(Phase.ROLLED_BACK)
    told = shell("rollout", "retry", "--reason", "the network", "--by", "ada", "--detach", "--output", "json")
    assert (told.code, json.loads(told.out)["phase"]) == (0, "pending")
    assert "is in progress already" in shell("rollout", "retry", "--reason", "again", "--detach").out


def test_preflight_refuses_a_plan_that_cannot_conclude(shell: Shell, world: World) -> None:
    told = shell("rollout", "preflight")
    assert (told.code, "--rate R" in told.err) == (2, True)
    weak = shell("rollout", "preflight", "--rate", "0.01")
    assert weak.code == 3
    assert "too short" in weak.out
    assert "docs/rollout.md" in weak.err
    assert "--accept-underpowered" in weak.err
    assert shell("rollout", "preflight", "--rate", "0.01", "--accept-underpowered").code == 0
    good = shell("rollout", "preflight", "--rate", "500", "--output", "json")
    plan = json.loads(good.out)
    assert (good.code, plan["concludes"], len(plan["steps"])) == (0, True, 2)
    world.metrics.past = replace(world.metrics.past, per_second=500.0)
    assert "seen in the last hour" in shell("rollout", "preflight").out


def test_preflight_counts_step_0(shell: Shell, world: World) -> None:
    project = world.workspace.project
    shadow = Shadow(hold=Duration(60), share=0.1)
    policy = replace(project.rollout, shadow=shadow, min_requests=300, max_extension=4.0)
    world.workspace = replace(world.workspace, project=replace(project, rollout=policy))
    rows = shell("rollout", "preflight", "--rate", "20").out.splitlines()
    assert rows[2].split("  ")[0] == "0"
    assert "2 min 30 s for 300 copies" in rows[2]
    weak = shell("rollout", "preflight", "--rate", "5", "--output", "json")
    plan = json.loads(weak.out)
    copies = plan["shadow"]
    assert (copies["copies_s"], copies["limit_s"], copies["concludes"]) == (600.0, 300.0, False)
    assert plan["expected_s"] == pytest.approx(copies["expected_s"] + sum(step["expected_s"] for step in plan["steps"]))
    assert (weak.code, "step 0 (shadow)" in weak.err) == (3, True)


def ticking(world: World, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """While the command sleeps, the rollout goes on."""

    def sleep(clock: FakeClock, seconds: float) -> None:
        then()

    monkeypatch.setattr(FakeClock, "sleep", sleep)


def test_watch_tells_a_line_for_each_change_and_ends_with_the_rollout(
    shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.until(Phase.PROGRESSING)
    world.say("approve")
    ticking(world, monkeypatch, lambda: world.tick() and None)
    lines = shell("rollout", "status", "--watch").out.splitlines()
    assert "asked 20 %, is 20 %" in lines[0]
    assert any("errors +0.00 pp [" in line and "next step in about" in line for line in lines)
    assert lines[-1].startswith("promoted")
    (document,) = shell("rollout", "status", "--watch", "--output", "json").out.splitlines()
    assert json.loads(document)["phase"] == "promoted"


def test_watch_on_a_terminal_is_one_live_picture(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.until(Phase.PAUSED)

    def approved() -> None:
        world.say("approve")
        world.tick()

    ticking(world, monkeypatch, approved)
    watch._live(world.workspace, world.rollout)
    assert "promoted" in capsys.readouterr().out


def test_ctrl_c_ends_only_the_showing(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    world.until(Phase.PROGRESSING)
    before = world.workspace.rollouts.get("r1")
    ticking(world, monkeypatch, interrupted)
    assert shell("rollout", "status", "--watch").code == 130
    assert world.workspace.rollouts.get("r1") == before


def test_the_daemon_tells_in_lines_of_json_and_ends_on_sigterm(
    shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    ticking(world, monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        told = shell("rollout", "controller", "--output", "json")
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    events = [json.loads(line) for line in told.out.splitlines()]
    assert told.code == 0
    assert [event["event"] for event in events] == ["started", "rollout", "stopped"]
    assert (events[1]["rollout"], events[1]["model"]) == ("r1", toy.MODEL)


def test_the_report_is_a_page_with_picture_evidence_and_events(shell: Shell, world: World) -> None:
    world.until(Phase.ROLLED_BACK, bad=40)
    told = shell("rollout", "report", "--file", "page.html")
    assert told.out == "page.html: rollout r1, rolled back\n"
    page = Path("page.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "<script" not in page
    for words in ("errors", "rolled back", "started", "e acceptable", "Events"):
        assert words in page
    assert shell("rollout", "report").out.rstrip() == page.rstrip()
    document = json.loads(shell("rollout", "report", "--output", "json").out)
    assert document["events"][-1]["kind"] == "rolled_back"
    assert shell("rollout", "report", "--rollout", "nope").code == 2


def test_the_report_escapes_what_people_wrote(shell: Shell, world: World) -> None:
    world.say("abort", "<script>alert(1)</script>")
    world.until(Phase.ROLLED_BACK)
    page = shell("rollout", "report").out
    assert "<script" not in page
    assert "&lt;script&gt;" in page
