"""Artifacts: every row of their list, through the one function that loads a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.serving.models import load
from tests.corpus import artifact_rows
from tests.corpus.artifact_rows import BadArtifact
from tests.corpus.rows import assert_complete, each
from tests.unit.serving.toy_model import write_artifact


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("corpus") / "good")


def test_the_list_is_complete() -> None:
    assert_complete(artifact_rows.ROWS, artifact_rows.LISTED)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("row", each(artifact_rows.ROWS))
def test_artifact(row: BadArtifact, good: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "model"))
    row.damage(folder)
    with pytest.raises(UnusableInput) as caught:
        load(folder)
    assert str(caught.value).startswith(f"{folder}{row.says}")
    assert caught.value.exit_code == 2
    assert caught.value.fix


def test_a_good_artifact_is_loaded(good: Path) -> None:
    assert load(good).signature.task == "binary"
