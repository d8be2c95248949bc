"""One live project per worker, bootstrapped once; each test starts from a calm one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures import toy
from tests.fixtures.gateway import Gateway
from tests.fixtures.live import Project
from tests.fixtures.ports import free_port


@pytest.fixture(scope="session")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("live") / "project"
    project = Project(root=root, port=free_port())
    toy.write_project(root, port=project.port)
    try:
        project.bootstrap()
        yield project
    finally:
        project.command("serve", "stop")


@pytest.fixture
def project(bootstrapped: Project) -> Project:
    bootstrapped.calm()
    return bootstrapped


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("envoy"))
    try:
        yield gateway
    finally:
        gateway.stop()
