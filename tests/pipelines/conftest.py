"""The programs that run pipelines are looked for once; where one is missing, the tests say which and are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.jenkins_runner import compile_interpreter
from tests.pipelines.node import install
from tests.pipelines.recording import Recording


@pytest.fixture(scope="session")
def runners() -> None:
    """Node, Java, the locked npm packages and rsync are there."""
    why = install.missing() or ("" if install.rsync() else "there is no rsync")
    if why:
        pytest.skip(why)


@pytest.fixture(scope="session")
def interpreter(runners: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of Jenkinsfiles, compiled."""
    return compile_interpreter(tmp_path_factory.mktemp("classes"))


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """A new recording of what is called."""
    return Recording(tmp_path / "recording")
