"""One row of the corpus: a bad input by its name in the design, and what its one clear error must say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """`name` is that of the design's list; `says` begins with the position where there is one.

    Most have one problem, which is told once: the echo of an error would hide it.
    """

    name: str
    data: str | bytes
    says: str
    problems: int = 1

    def write(self, path: Path) -> None:
        """Make the file."""
        path.write_bytes(self.data.encode() if isinstance(self.data, str) else self.data)


def edited(text: str, old: str, new: str) -> str:
    """`text` with its one `old` replaced."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def each(rows: Iterable[Any]) -> list[Any]:
    """The rows as parameters of a test, numbered within their name."""
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        seen[row.name] = number = seen.get(row.name, 0) + 1
        found.append(pytest.param(row, id=f"{row.name} {number}"))
    return found


def assert_complete(rows: Iterable[Any], listed: tuple[str, ...]) -> None:
    """Every name of the design's list has a row, and no row a name that is not on it."""
    assert list(dict.fromkeys(row.name for row in rows)) == list(listed)


def assert_told(told: Told, says: str, *, code: int = 2, problems: int | None = None) -> None:
    """One clear error: its exit code, no traceback, what is wrong, and what to do."""
    assert told.code == code, told
    assert "Traceback" not in told.err
    assert "internal error" not in told.err
    first, *rest = told.err.splitlines()
    assert first.startswith("error: ")
    assert problems is None or f"has {problems} problem" in first, told.err
    assert says in told.err, told.err
    (remedy,) = [line for line in rest if line.startswith("   do: ")]
    assert remedy.removeprefix("   do: ").strip()
    assert rest[-1].endswith(f"(exit {code})")
