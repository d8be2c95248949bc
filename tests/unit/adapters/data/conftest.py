"""Workspaces for sources of data, and versions made from what a source shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.lineage import DataVersion
from gatewright.effects.files import digest_listing
from gatewright.ports import Progress

NOW = datetime(2026, 6, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Folder:
    """A workspace as sources see it."""

    root: Path
    read_again: bool = False
    progress: Progress | None = None


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "workspace"
    root.mkdir()
    return Folder(root)


@pytest.fixture
def recorded() -> Callable[..., DataVersion]:
    """The version that `data add` would record of what is at a uri now."""

    def record(source: Any, kind: str, uri: str) -> DataVersion:
        files, pin = source.current(uri), source.pin(uri)
        return DataVersion(
            name="set", version="2026-06-30-00000000", role="train", kind=kind, uri=uri, digest=digest_listing(files),
            files=files, schema={}, fingerprint="", rows=1, created_at=NOW, data_from=NOW, data_to=NOW,
            created_by="me", pin=pin.value if pin else None, immutable=bool(pin and pin.immutable),
        )  # fmt: skip

    return record


def below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
