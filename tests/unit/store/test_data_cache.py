"""The cache of bytes from elsewhere: whole or absent, proved, and never emptied by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from gatewright.domain.errors import WorldFailed
from gatewright.effects.digest_cache import DigestCache
from gatewright.store.data_cache import FOLDER, Content, DataCache, Usage


def cache(root: Path) -> DataCache:
    return DataCache(root, DigestCache(root / ".gatewright" / "digests.json"))


def accept(_: Content) -> None:
    return


def keep(root: Path, data: bytes) -> Content:
    return cache(root).keep([data], accept)


def test_bytes_are_kept_by_their_digest(tmp_path: Path) -> None:
    content = cache(tmp_path).keep([b"ab", b"cd"], accept)
    assert content == Content(size=4, sha256=sha256(b"abcd").hexdigest())
    assert cache(tmp_path).holds(content)
    assert cache(tmp_path).path(content.sha256).read_bytes() == b"abcd"


def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    def refuse(_: Content) -> None:
        raise WorldFailed("no")

    with pytest.raises(WorldFailed):
        cache(tmp_path).keep([b"abcd"], refuse)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"ab"
        raise WorldFailed("the line is cut")

    with pytest.raises(WorldFailed):
        cache(tmp_path).keep(broken(), accept)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("damaged", [b"abc", b"abcx"])
def test_damaged_bytes_are_removed(tmp_path: Path, damaged: bytes) -> None:
    content = keep(tmp_path, b"abcd")
    path = cache(tmp_path).path(content.sha256)
    path.chmod(0o644)
    path.write_bytes(damaged)
    assert not cache(tmp_path).holds(content)
    assert not path.exists()


def test_what_was_learnt_is_remembered(tmp_path: Path) -> None:
    content = keep(tmp_path, b"abcd")
    cache(tmp_path).learn("s3://b/k v1", content)
    assert cache(tmp_path).learnt("s3://b/k v1") == content
    assert cache(tmp_path).learnt("s3://b/k v2") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"form": "other"}', '{"form": "gatewright/learnt/1", "entries": {"a": 1}}']
)
def test_a_damaged_memory_remembers_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "learnt.json").write_text(text)
    assert cache(tmp_path).learnt("a") is None


def test_prune_removes_what_was_used_least_lately(tmp_path: Path) -> None:
    old, used, new = (keep(tmp_path, data) for data in (b"old!", b"used", b"new!"))
    for hour, each in enumerate((old, used, new)):
        os.utime(cache(tmp_path).path(each.sha256), (3600 * hour, 3600 * hour))
    assert cache(tmp_path).holds(used)
    assert cache(tmp_path).usage() == Usage(files=3, size=12)
    assert cache(tmp_path).prune(7) == Usage(files=2, size=8)
    assert [cache(tmp_path).holds(each) for each in (old, used, new)] == [False, True, False]
    assert cache(tmp_path).prune(0) == Usage(files=1, size=4)


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / ".gatewright").mkdir()
    (tmp_path / FOLDER).write_bytes(b"a file where the folder should be")
    with pytest.raises(WorldFailed, match="data-cache"):
        keep(tmp_path, b"abcd")
