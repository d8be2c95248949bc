"""The operator's verbs on a real gateway under live traffic: approve, the daemon, back again, and once more."""

from __future__ import annotations

import json
import signal

import pytest

from tests.fixtures.live import Project
from tests.fixtures.load import Load

pytestmark = pytest.mark.xdist_group("live-2")
STEPS = [{"weight": 30, "hold": "1s"}, {"weight": 50, "hold": "1s", "approval": True}]


def whole(project: Project) -> list[str]:
    """The servers that have nearly all of the traffic, as the gateway tells."""
    return [name for name, share in project.shares().items() if share > 99]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_approve_promote_go_back_and_try_again_without_a_failed_request(project: Project) -> None:
    project.new_model(rollout={"steps": STEPS})
    (before,) = whole(project)
    with Load(project.port) as load:
        paused = project.command("run")
        assert paused.returncode == 6, paused.stdout + paused.stderr
        assert "gatewright rollout approve" in paused.stderr
        assert project.command("rollout", "approve", "--by", "ada").returncode == 0
        driven = project.command("rollout", "controller", "--until-idle", "--output", "json")
        assert driven.returncode == 0, driven.stderr
        assert [json.loads(line) for line in driven.stdout.splitlines()][-2]["phase"] == "promoted"
        (after,) = whole(project)
        assert after != before

        back = project.command("rollout", "rollback", "--by", "ada", "--reason", "complaints")
        assert back.returncode == 0, back.stdout + back.stderr
        project.until("all traffic on the old version", lambda: project.shares() == {before: 100.0})
        twice = project.command("rollout", "rollback", "--by", "ada", "--reason", "complaints")
        assert (twice.returncode, "nothing to do" in twice.stdout) == (0, True)

        again = project.command("rollout", "retry", "--by", "ada", "--reason", "the complaints were about the weather")
        assert again.returncode == 6, again.stdout + again.stderr
        assert project.command("rollout", "promote", "--full", "--by", "grace").returncode == 0
        assert project.command("rollout", "controller", "--until-idle").returncode == 0
        assert whole(project) == [after]
    assert not load.failures
    kinds = [record["kind"] for record in json.loads(project.command("records", "--output", "json").stdout)]
    for kind in ("approved", "restored", "promoting", "promoted"):
        assert kind in kinds
    assert project.command("records", "verify").returncode == 0


@pytest.mark.slow
def test_the_daemon_ends_cleanly_on_sigterm(project: Project) -> None:
    daemon = project.start("rollout", "controller", "--output", "json")
    assert daemon.stdout is not None
    assert json.loads(daemon.stdout.readline())["event"] == "started"
    daemon.send_signal(signal.SIGTERM)
    out, err = daemon.communicate(timeout=20)
    assert (daemon.returncode, err) == (0, "")
    assert json.loads(out.splitlines()[-1])["event"] == "stopped"
