"""Which inputs a model server is told to log: never personal ones, and none when nobody can say which are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from gatewright.engine.model_runtime import logged_features
from gatewright.workspace import Workspace
from tests.fixtures import toy


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "data").mkdir()
    schema = toy.SCHEMA.replace("AGE: {type: int64,", "AGE: {type: int64, personal: true,")
    (tmp_path / "data" / "schema.yaml").write_text(schema, encoding="utf-8")
    toy.configure(tmp_path, port=1)
    opened = Workspace.open(tmp_path)
    yield opened
    opened.database.close()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("all", ["id", "SEX", "REGION", "employed"]),
        (("SEX", "AGE", "height"), ["SEX"]),
        (("AGE",), []),
    ],
)
def test_what_may_be_logged(
    wanted: Literal["all"] | tuple[str, ...], expected: list[str], workspace: Workspace
) -> None:
    flag, words = logged_features(workspace, wanted)
    assert (flag, json.loads(words)) == ("--log-features", expected)


def test_nothing_by_default_or_without_a_schema(workspace: Workspace) -> None:
    assert logged_features(workspace, ()) == ()
    (workspace.root / "data" / "schema.yaml").unlink()
    assert logged_features(workspace, "all") == ()
