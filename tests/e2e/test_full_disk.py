"""A disk that fills up under a rollout: everybody is answered, and the rollout goes on when there is space again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.domain.routing import cluster_name
from tests.fixtures import toy
from tests.fixtures.live import Project, check_ended
from tests.fixtures.load import Load
from tests.fixtures.ports import free_port
from tests.fixtures.small_disk import SmallDisk, mounted

STEPS = {"steps": [{"weight": 25, "hold": "3s"}], "lease": "3s"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "small", megabytes=16) as disk:
        yield disk


@pytest.fixture
def project(disk: SmallDisk) -> Iterator[Project]:
    project = Project(root=disk.folder / "project", port=free_port())
    toy.write_project(project.root, port=project.port)
    try:
        project.bootstrap()
        yield project
    finally:
        disk.free()
        project.command("serve", "stop")


@pytest.mark.slow
def test_a_disk_that_fills_up_at_25_percent_costs_no_request(project: Project, disk: SmallDisk) -> None:
    project.new_model(rollout=STEPS)
    supervisor = project.process("supervisor")
    with Load(project.port) as load:
        run = project.start("run")
        project.until_weight(25, run)
        canary = cluster_name(project.rollout().canary)
        disk.fill()
        out, err = run.communicate(timeout=60)
        assert run.returncode == 4, out + err
        assert "database or disk is full" in err
        project.until("traffic is back at stable", lambda: canary not in project.shares(), limit_s=30)
        disk.free()
        done = project.command("run", "--resume", project.runs()[-1])
        assert done.returncode == 0, done.stdout + done.stderr
        check_ended(project, project.runs()[-1], "promoted")
    assert not load.failures
    assert project.process("supervisor") == supervisor
