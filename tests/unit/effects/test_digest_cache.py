"""A remembered digest is used only for a file that nobody can have changed; else it is read again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from gatewright.effects import digest_cache
from gatewright.effects.digest_cache import RACY_NS, DigestCache

OLD_NS = time.time_ns() - 10 * RACY_NS


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose bytes were read."""
    seen: list[Path] = []

    def digest_file(path: Path) -> str:
        seen.append(path)
        return sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(digest_cache, "digest_file", digest_file)
    return seen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that was written long ago."""
    path = tmp_path / "data.parquet"
    path.write_bytes(b"aaaa")
    os.utime(path, ns=(OLD_NS, OLD_NS))
    return path


@pytest.fixture
def cache(tmp_path: Path, path: Path, read: list[Path]) -> Callable[[], DigestCache]:
    """A cache as the next process finds it; the file is known."""
    where = tmp_path / "digests.json"
    first = DigestCache(where)
    first.digest(path)
    first.save()
    read.clear()
    return lambda: DigestCache(where)


def test_a_file_that_nobody_touched_is_not_read_again(
    cache: Callable[[], DigestCache], path: Path, read: list[Path]
) -> None:
    assert cache().digest(path) == sha256(b"aaaa").hexdigest()
    assert read == []


def same_size(path: Path) -> None:
    path.write_bytes(b"bbbb")


def same_size_and_time(path: Path) -> None:
    path.write_bytes(b"bbbb")
    os.utime(path, ns=(OLD_NS, OLD_NS))


def other_file_of_that_time(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"bbbb")
    os.utime(other, ns=(OLD_NS, OLD_NS))
    other.replace(path)


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"b")
    os.utime(path, ns=(OLD_NS, OLD_NS))


@pytest.mark.parametrize("change", [same_size, same_size_and_time, other_file_of_that_time, longer])
def test_every_change_is_seen(
    cache: Callable[[], DigestCache], path: Path, read: list[Path], change: Callable[[Path], None]
) -> None:
    change(path)
    assert cache().digest(path) == sha256(path.read_bytes()).hexdigest()
    assert read == [path]


def test_a_file_written_a_moment_ago_is_not_remembered(tmp_path: Path, path: Path, read: list[Path]) -> None:
    path.write_bytes(b"cccc")
    cache = DigestCache(tmp_path / "digests.json")
    for _ in range(2):
        cache.digest(path)
    cache.save()
    assert read == [path, path]
    assert not (tmp_path / "digests.json").exists()


def test_a_hard_link_is_the_same_file(cache: Callable[[], DigestCache], path: Path, read: list[Path]) -> None:
    link = path.with_name("link.parquet")
    link.hardlink_to(path)
    known = cache()
    assert known.digest(link) == known.digest(path)
    assert read == [link], "a new link is a change of the inode, after which one look is enough for both"


def test_forgetting(cache: Callable[[], DigestCache], path: Path, read: list[Path]) -> None:
    again = cache()
    again.forget()
    again.digest(path)
    assert read == [path]


@pytest.mark.parametrize(
    "damage",
    [b"", b"[]", b"{", b'{"form": "gatewright/digests/0", "entries": {}}', b'{"form": "gatewright/digests/1"}'],
)
def test_a_damaged_file_means_reading(
    cache: Callable[[], DigestCache], tmp_path: Path, path: Path, read: list[Path], damage: bytes
) -> None:
    (tmp_path / "digests.json").write_bytes(damage)
    assert cache().digest(path) == sha256(b"aaaa").hexdigest()
    assert read == [path]


@pytest.mark.parametrize("wrong", ["x", [1, 2, 3], [1, 2, 3, "short"], ["1", 2, 3, "0" * 64], None])
def test_a_damaged_entry_means_reading(
    cache: Callable[[], DigestCache], tmp_path: Path, path: Path, read: list[Path], wrong: object
) -> None:
    where = tmp_path / "digests.json"
    document = json.loads(where.read_text())
    document["entries"] = dict.fromkeys(document["entries"], wrong)
    where.write_text(json.dumps(document))
    cache().digest(path)
    assert read == [path]


def test_where_nothing_can_be_kept_the_work_goes_on(tmp_path: Path, path: Path, read: list[Path]) -> None:
    (tmp_path / "digests.json").mkdir()
    for where in (tmp_path / "digests.json", tmp_path / "none" / "digests.json"):
        cache = DigestCache(where)
        assert cache.digest(path) == sha256(b"aaaa").hexdigest()
        cache.save()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data.parquet", "digests.json"]
