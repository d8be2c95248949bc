"""Segments: lines survive any end of their writer, the folder stays within its bound, each line is read once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gatewright.effects.segments import Segments, began, read_chunks, segments


def lines(folder: Path, positions: dict[str, int] | None = None) -> list[bytes]:
    chunks = read_chunks(segments(folder, "log"), positions or {}, most=1 << 16)
    return [line for chunk in chunks for line in chunk.lines]


def test_lines_are_read_in_order_and_only_once(tmp_path: Path) -> None:
    log = Segments(tmp_path, "log", limit=1 << 20)
    log.append(b"1\n2\n")
    (chunk,) = read_chunks(segments(tmp_path, "log"), {}, most=100)
    log.append(b"3\n", durable=True)
    assert (chunk.lines, lines(tmp_path, {chunk.segment: chunk.end})) == ((b"1", b"2"), [b"3"])


def test_a_torn_last_line_is_skipped_until_it_is_whole(tmp_path: Path) -> None:
    log = Segments(tmp_path, "log", limit=1 << 20)
    log.append(b"whole\nto")
    assert lines(tmp_path) == [b"whole"]
    log.append(b"rn\n")
    assert lines(tmp_path) == [b"whole", b"torn"]


def test_a_new_writer_leaves_the_torn_line_of_one_that_was_killed_alone(tmp_path: Path) -> None:
    Segments(tmp_path, "log", limit=1 << 20).append(b"a\nhal")
    Segments(tmp_path, "log", limit=1 << 20).append(b"b\n")
    assert lines(tmp_path) == [b"a", b"b"]


def test_the_oldest_segments_make_room(tmp_path: Path) -> None:
    log = Segments(tmp_path, "log", limit=1 << 20)
    for number in range(40):
        log.append(b"%03d" % number * 21_845 + b"\n")
    assert sum(path.stat().st_size for path in segments(tmp_path, "log")) <= 1 << 20
    kept = [line[:3] for line in lines(tmp_path)]
    assert kept == [b"%03d" % number for number in range(40 - len(kept), 40)]
    assert len(kept) >= 14


def test_a_writer_whose_segment_was_removed_begins_another(tmp_path: Path) -> None:
    log = Segments(tmp_path, "log", limit=1 << 20)
    log.append(b"gone\n")
    segments(tmp_path, "log")[0].unlink()
    log.append(b"here\n")
    assert lines(tmp_path) == [b"here"]


def test_after_a_write_that_failed_a_new_segment_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Segments(tmp_path, "log", limit=1 << 20)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    with pytest.raises(OSError, match="full"):
        log.append(b"ok\ntorn\n")
    monkeypatch.undo()
    log.append(b"next\n")
    assert lines(tmp_path) == [b"ok", b"next"]


def test_a_segment_tells_when_it_began(tmp_path: Path) -> None:
    log = Segments(tmp_path, "log", limit=1 << 20)
    log.append(b"x\n")
    log.close()
    log.append(b"y\n")
    first, second = map(began, segments(tmp_path, "log"))
    assert first < second <= time.time()
