"""Model servers that run but do not do their work, under a whole rollout: stable answers, the canary goes back."""

from __future__ import annotations

import os
import signal

import pytest

from gatewright.domain.routing import cluster_name
from tests.fixtures.live import Project, check_ended
from tests.fixtures.load import Load

pytestmark = [pytest.mark.xdist_group("live-1"), pytest.mark.slow]
LONG = {"steps": [{"weight": 25, "hold": "60s"}]}
# Comes before the installed one in what is started in the workspace from now on: the canary, and no one else.
GARBAGE = """
import asyncio
import socket


class Config:
    def __init__(self, app, **settings):
        pass


class Server:
    def __init__(self, config):
        self.should_exit = False

    async def startup(self, sockets=None):
        pass

    def run(self, sockets):
        asyncio.run(self.startup(sockets))
        sockets[0].settimeout(0.1)
        while not self.should_exit:
            try:
                connection, _ = sockets[0].accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(1.0)
                try:
                    connection.recv(65536)
                    connection.sendall(ANSWER)
                except OSError:
                    pass
"""
NO_HTTP = b"\x00\xffwhat you asked for\r\n\r\n"
NOTHING = b""
HALF = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"predic'


def rolled_back_with(project: Project, answer: bytes) -> Load:
    """A whole run with a canary that gives this answer to all; returns the load that it was under."""
    project.new_model(rollout=LONG)
    library = project.root / "uvicorn.py"
    library.write_text(GARBAGE.replace("ANSWER", repr(answer)))
    try:
        with Load(project.port) as load:
            run = project.start("run")
            out, err = run.communicate(timeout=90)
    finally:
        library.unlink()
    assert run.returncode == 1, out + err
    assert "errors" in err
    check_ended(project, project.runs()[-1], "rolled_back")
    return load


@pytest.mark.parametrize("answer", [NO_HTTP, NOTHING], ids=["no HTTP", "nothing"])
def test_a_canary_that_answers_garbage_is_rolled_back_and_no_client_sees_it(project: Project, answer: bytes) -> None:
    load = rolled_back_with(project, answer)
    assert not load.failures
    assert len(load.models()) == 1


def test_a_canary_whose_answers_break_off_is_rolled_back_within_seconds(project: Project) -> None:
    load = rolled_back_with(project, HALF)
    # What has begun cannot be asked again elsewhere: those clients see it, and nobody else sees anything.
    assert all("payload is not completed" in failure for failure in load.failures)
    assert 0 < load.failures.total() < 10 * 120 * 0.25


def test_a_canary_that_hangs_is_rolled_back_and_ended(project: Project) -> None:
    project.new_model(rollout=LONG)
    with Load(project.port) as load:
        run = project.start("run")
        project.until_weight(25, run)
        identity = project.process(cluster_name(project.rollout().canary))
        assert identity is not None
        os.kill(identity.pid, signal.SIGSTOP)
        out, err = run.communicate(timeout=90)
        assert run.returncode == 1, out + err
        assert "errors" in err
        check_ended(project, project.runs()[-1], "rolled_back")
    assert not load.failures
    project.until("it is ended although it is stopped", lambda: not identity.alive(), limit_s=15)
