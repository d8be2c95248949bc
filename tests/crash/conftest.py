from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.asking import Warmed

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def warmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warmed]:
    """One for each worker, in memory where that is possible: SIGKILL loses nothing that was written.

    It removes its folder at its end.
    """
    in_memory = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=_MEMORY)) if in_memory else tmp_path_factory.mktemp("crash")
    warmed = Warmed(folder)
    yield warmed
    warmed.close()
