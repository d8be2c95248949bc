"""Bytes in files and behind URLs: what there is, what is gone, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from gatewright.adapters.data.stored import Stored
from gatewright.domain.errors import WorldFailed


@pytest.mark.parametrize("place", ["path", "url"])
def test_bytes_of_a_path_and_of_a_url(tmp_path: Path, place: str) -> None:
    (tmp_path / "rows.csv").write_bytes(b"id\n1\n")
    at, gone = str(tmp_path / "rows.csv"), str(tmp_path / "gone.csv")
    if place == "url":
        at, gone = "memory://stored/rows.csv", "memory://stored/gone.csv"
        fsspec.filesystem("memory").pipe("/stored/rows.csv", b"id\n1\n")
    stored = Stored()
    assert b"".join(stored.chunks(at)) == b"id\n1\n"
    assert (stored.exists(at), stored.exists(gone)) == (True, False)
    with pytest.raises(FileNotFoundError):
        list(stored.chunks(gone))


def test_a_file_that_cannot_be_read_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(WorldFailed, match=f"{tmp_path}: Is a directory"):
        list(Stored().chunks(str(tmp_path)))
