from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.serving.toy_model import write_artifact


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("models") / "imputing")


@pytest.fixture(scope="session")
def fragile_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its model raises on a missing value; it holds trees, so it needs the list of trusted types."""
    return write_artifact(tmp_path_factory.mktemp("models") / "fragile", impute=False, trees=True)
