"""The cache of predictions: what was put is found, nothing else is, and it never grows without bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.store.predictions import PredictionCache

MADE = {"model": "a", "evaluation": "b"}


def test_what_was_put_is_found_by_what_it_was_made_from(tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path / "p")
    assert cache.get(MADE).data is None
    cache.put(MADE, b"one")
    cache.put(MADE | {"model": "c"}, b"two")
    assert cache.get(MADE).data == b"one"
    assert cache.get(MADE | {"evaluation": "c"}).data is None
    cache.put(MADE, b"three")
    assert cache.get(MADE).data == b"three"
    assert len(list((tmp_path / "p").iterdir())) == 2


def test_a_damaged_entry_is_thrown_away(tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path)
    cache.put(MADE, b"one")
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"onf")
    found = cache.get(MADE)
    assert (found.data, found.damaged, list(tmp_path.iterdir())) == (None, True, [])
    assert not cache.get(MADE).damaged


@pytest.mark.parametrize(("most_files", "most_bytes"), [(2, 1000), (10, 8)])
def test_the_oldest_make_room(tmp_path: Path, most_files: int, most_bytes: int) -> None:
    import os

    cache = PredictionCache(tmp_path, most_files=most_files, most_bytes=most_bytes)
    for number in range(4):
        before = set(tmp_path.iterdir())
        cache.put({"model": str(number)}, b"four")
        for path in set(tmp_path.iterdir()) - before:
            os.utime(path, (number, number))
    assert [number for number in range(4) if cache.get({"model": str(number)}).data] == [2, 3]


def test_what_is_larger_than_everything_is_not_kept(tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path, most_bytes=3)
    cache.put(MADE, b"four")
    assert cache.get(MADE).data is None
