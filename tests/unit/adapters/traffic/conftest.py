"""One server of endpoints, and three versions registered there, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.endpoint_world import World
from tests.fixtures.endpoints import Endpoints, endpoint_server
from tests.fixtures.s3 import ENVIRONMENT, client


@pytest.fixture(scope="package")
def server() -> Iterator[Endpoints]:
    with endpoint_server() as running:
        client(running.address).create_bucket(Bucket="models")
        yield running


@pytest.fixture(scope="package")
def registered(server: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three versions in a group, for every test."""
    world = World(root=tmp_path_factory.mktemp("registered"), server=server)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.address}.items():
            patch.setenv(name, value)
        for content in ("one", "two", "three"):
            world.registered(content)
    return world


@pytest.fixture
def world(registered: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    server = registered.server
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.address}.items():
        monkeypatch.setenv(name, value)
    server.looks, server.fails = 1, ""
    yield World(root=tmp_path, server=server, group=registered.group, versions=registered.versions)
    server.front.fault = None
