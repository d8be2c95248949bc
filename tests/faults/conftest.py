"""One project with two deployments per worker; each test tampers with a copy of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fixtures.deployed import deploy_twice


@pytest.fixture(scope="session")
def deployed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deploy_twice(tmp_path_factory.mktemp("deployed") / "project")


@pytest.fixture
def deployed(deployed_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(deployed_once, tmp_path / "project", symlinks=True))
