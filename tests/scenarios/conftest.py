from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.controlled import World, new_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory if the system has a place for that: a look costs 2 ms there, and 20 on a disk."""
    place = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=place if place.is_dir() else None))
    yield folder
    shutil.rmtree(folder)
