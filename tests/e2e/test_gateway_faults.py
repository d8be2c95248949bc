"""Faults of the local runtime under live traffic: real Envoy, real model servers, real kills."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.rollout import Phase, Rollout
from gatewright.domain.routing import cluster_name
from gatewright.effects.processes import is_stopped
from gatewright.engine.controller import Controller
from gatewright.testing import Silent
from tests.fixtures import toy
from tests.fixtures.live import Project, check_ended, stray_processes
from tests.fixtures.load import Load
from tests.fixtures.ports import free_port

pytestmark = pytest.mark.xdist_group("live-1")
LONG = {"steps": [{"weight": 25, "hold": "60s"}]}
SHORT_LEASE = {"steps": [{"weight": 25, "hold": "2s"}], "lease": "3s"}


def finished(process: subprocess.Popen[str], limit_s: float = 40.0) -> tuple[int, str]:
    out, err = process.communicate(timeout=limit_s)
    return process.returncode, out + err


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=10)


def test_a_lease_that_is_not_renewed_gives_the_traffic_back(project: Project) -> None:
    project.new_model(rollout=SHORT_LEASE)
    with Load(project.port) as load:
        run = project.start("run")
        project.until_weight(25, run)
        canary = cluster_name(project.rollout().canary)
        kill(run)
        project.until("traffic is back at stable", lambda: canary not in project.shares(), limit_s=10)
        assert project.rollout().phase is Phase.PROGRESSING
        done = project.command("run", "--resume", project.runs()[-1])
        assert done.returncode == 0, done.stdout + done.stderr
        assert project.shares()[canary] == 99.99
        check_ended(project, project.runs()[-1], "promoted")
    assert not load.failures


@pytest.mark.slow
def test_a_supervisor_that_is_killed_leaves_nothing_and_comes_back_with_its_weights(project: Project) -> None:
    project.new_model(rollout=LONG)
    run = project.start("run")
    project.until_weight(25, run)
    shares = project.shares()
    kill(run)
    project.kill("supervisor")
    project.until("its children have ended", lambda: stray_processes(project.root, {os.getpid()}) == [], limit_s=10)
    assert project.command("serve", "start").returncode == 0
    project.until("both servers are up", lambda: ready(project) >= {*shares, "supervisor", "gateway"}, limit_s=20)
    project.until("the recorded weights", lambda: shares_or_none(project) == shares, limit_s=5)
    with Load(project.port) as load:
        ended = project.command("rollout", "abort", "--by", "ada")
        assert ended.returncode == 0, ended.stderr
        check_ended(project, project.runs()[-1], "rolled_back")
    assert not load.failures


def ready(project: Project) -> set[str]:
    with project.workspace() as workspace:
        return {row.name for row in workspace.processes.all() if row.ready and row.identity.alive()}


def shares_or_none(project: Project) -> dict[str, float] | None:
    try:
        return project.shares()
    except WorldFailed:
        return None


@pytest.mark.slow
def test_a_gateway_that_is_killed_is_back_within_two_seconds(project: Project) -> None:
    project.new_model(rollout=LONG)
    run = project.start("run")
    try:
        project.until_weight(25, run)
        shares, before = project.shares(), project.process("gateway")
        project.kill("gateway")
        project.until(
            "another gateway answers as before",
            lambda: answers(project) and shares_or_none(project) == shares,
            limit_s=2.0,
        )
        project.until("the new one is recorded", lambda: project.process("gateway") != before, limit_s=2.0)
        assert run.poll() is None
    finally:
        project.command("rollout", "abort", "--by", "ada")
        code, said = finished(run)
    assert code == 1, said


def answers(project: Project) -> bool:
    try:
        socket.create_connection(("127.0.0.1", project.port), timeout=0.2).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
def test_an_abort_from_elsewhere_ends_the_run_that_drives(project: Project) -> None:
    project.new_model(rollout=LONG)
    with Load(project.port) as load:
        run = project.start("run")
        project.until_weight(25, run)
        asked = project.command("rollout", "abort", "--by", "grace")
        assert asked.returncode == 0, asked.stderr
        code, said = finished(run)
        assert code == 1, said
        assert "aborted by grace" in said
        check_ended(project, project.runs()[-1], "rolled_back")
    assert not load.failures


def test_a_canary_killed_at_25_percent_costs_no_request(project: Project) -> None:
    steps = {"steps": [{"weight": 25, "hold": "3s"}]}
    project.new_model(rollout={**steps, "breaker": {"max_error_share": 1.0, "tick": "300ms"}})
    with Load(project.port) as load:
        run = project.start("run")
        project.until_weight(25, run)
        name = cluster_name(project.rollout().canary)
        before = project.process(name)
        project.kill(name)
        project.until("it is started again, or rolled back", lambda: project.process(name) != before)
        code, said = finished(run)
        assert code in (0, 1), said
        check_ended(project, project.runs()[-1], "promoted" if code == 0 else "rolled_back")
    assert not load.failures
    assert load.answers.total() > 300


@pytest.mark.slow
def test_a_canary_that_crashes_again_and_again_is_rolled_back(project: Project) -> None:
    project.new_model(rollout={**LONG, "breaker": {"max_error_share": 1.0, "tick": "300ms"}})
    with Load(project.port) as load:
        run = project.start("run")
        project.until_weight(25, run)
        name = cluster_name(project.rollout().canary)
        project.kill_until_the_end(name, run)
        code, said = finished(run)
        assert code == 1, said
        assert "the canary does not run: it ended 3 times in a row" in said
        check_ended(project, project.runs()[-1], "rolled_back")
    assert not load.failures


def damage(artifact: Path) -> Callable[[], object]:
    """Change one byte of a registered model; returns how to undo it."""
    file = artifact / "signature.json"
    content = file.read_bytes()
    file.write_bytes(content + b" ")
    return lambda: file.write_bytes(content)


@pytest.mark.slow
def test_a_canary_whose_bytes_changed_after_registration_is_rolled_back(project: Project) -> None:
    project.new_model(rollout=LONG)
    killed = project.command("run", failpoints="after-write:version.json")
    assert killed.returncode == -signal.SIGKILL
    run = project.runs()[-1]
    version = json.loads((project.root / ".gatewright" / "runs" / run / "version.json").read_text())["version"]
    damage(project.root / version["artifact"]["uri"])
    with Load(project.port) as load:
        done = project.command("run", "--resume", run)
    assert done.returncode == 1, done.stdout
    assert "changed: recorded sha256:" in done.stderr
    check_ended(project, run, "rolled_back")
    assert not load.failures


def fallback_and_stable(project: Project) -> tuple[Path | None, str]:
    with project.workspace() as workspace:
        route = workspace.routes.get(toy.MODEL)
        assert route is not None
        uri = workspace.routes.locate(toy.MODEL, route.fallback or "")
        return project.root / uri if uri else None, cluster_name(route.stable or "")


@pytest.mark.slow
def test_a_damaged_fallback_does_not_keep_stable_from_serving(project: Project) -> None:
    fallback, stable = fallback_and_stable(project)
    if fallback is None:
        project.new_model()
        with Load(project.port):
            assert project.command("run").returncode == 0
        fallback, stable = fallback_and_stable(project)
    assert fallback is not None
    mend = damage(fallback)
    try:
        project.kill("supervisor")
        assert project.command("serve", "start").returncode == 0
        project.until("stable serves alone", lambda: shares_or_none(project) == {stable: 100.0}, limit_s=10)
    finally:
        mend()


def stop_outside_of_a_transaction(project: Project, process: subprocess.Popen[str]) -> None:
    """SIGSTOP at a moment at which the process holds no lock on the state database: the lock is ours meanwhile."""
    lock = sqlite3.connect(project.root / ".gatewright" / "state.db", timeout=20, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        process.send_signal(signal.SIGSTOP)
        project.until("it has stopped", lambda: is_stopped(process.pid))
    finally:
        lock.close()


@pytest.mark.slow
def test_a_controller_that_slept_past_its_lease_has_no_say_any_more(project: Project) -> None:
    project.new_model(rollout={**LONG, "lease": "2s"})
    run = project.start("run")
    try:
        project.until_weight(25, run)
        refused = project.command("rollout", "tick")
        assert refused.returncode == 4
        assert "is driven by" in refused.stderr
        epoch = project.rollout().epoch
        stop_outside_of_a_transaction(project, run)
        with project.workspace() as workspace:
            other = Controller(workspace, Silent())
            project.until("the other takes over", lambda: takes_over(other, project.rollout()))
            assert project.rollout().epoch == epoch + 1
            run.send_signal(signal.SIGCONT)
            code, said = finished(run, 10)
            assert code == 4, said
            assert other.tick(project.rollout()).phase is Phase.PROGRESSING
    finally:
        run.kill()
        project.command("rollout", "abort", "--by", "ada")


@pytest.mark.slow
def test_a_controller_that_was_stopped_in_mid_write_costs_no_request_and_no_decision(project: Project) -> None:
    """While it holds the state database nobody can take over; traffic is back at stable, and it goes on when it can."""
    project.new_model(rollout={**LONG, "lease": "2s"})
    with Load(project.port) as load:
        run = project.start("run", failpoints="before-commit:rollout-progressing@4=stop")
        try:
            project.until("it has stopped", lambda: run.poll() is not None or is_stopped(run.pid))
            assert run.poll() is None, run.communicate()
            canary = cluster_name(project.rollout().canary)
            project.until("traffic is back at stable", lambda: canary not in project.shares(), limit_s=15)
            epoch = project.rollout().epoch
            refused = project.command("rollout", "tick")
            assert refused.returncode == 4
            assert "database is locked" in refused.stderr
            assert f"kill -CONT {run.pid}" in refused.stderr or "another process holds it" in refused.stderr
            assert project.rollout().epoch == epoch
            run.send_signal(signal.SIGCONT)
            project.until("it asks for its weight again", lambda: project.shares().get(canary) == 25.0, limit_s=15)
            assert run.poll() is None
        finally:
            run.send_signal(signal.SIGCONT)
            run.kill()
            run.communicate(timeout=10)
        assert project.command("rollout", "abort", "--by", "ada").returncode == 0
        check_ended(project, project.runs()[-1], "rolled_back")
    assert not load.failures


def takes_over(controller: Controller, rollout: Rollout) -> bool:
    try:
        controller.tick(rollout)
    except LeaseLost:
        return False
    return True


def test_a_taken_port_is_told_at_once_with_exit_2(tmp_path: Path) -> None:
    port = free_port()
    root = toy.write_project(tmp_path / "project", port=port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        done = Project(root=root, port=port).command("serve", "start")
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "serving.port" in done.stderr
    assert stray_processes(root, {os.getpid()}) == []
