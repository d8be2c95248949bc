"""What commands print: text for people, or one JSON document for programs. A closed pipe never ends the work."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

_LOG_WIDTH = 120


def say(text: str, *, err: bool = False) -> None:
    """Print `text`. When nobody reads any more (`| head`), the rest is dropped and the work goes on."""
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        stream = sys.stderr if err else sys.stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say_json(value: Any) -> None:
    """Print `value` as the one JSON document of this command."""
    say(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def table(rows: Sequence[Sequence[str]], *, head: Sequence[str] = (), indent: str = "", name: str = "") -> None:
    """Print aligned columns, `name` in the first indent; on a terminal the last column is cut at its edge."""
    for line in table_lines(rows, head=head, indent=indent, name=name):
        say(line)


def table_lines(
    rows: Sequence[Sequence[str]], *, head: Sequence[str] = (), indent: str = "", name: str = ""
) -> Iterator[str]:
    """The lines that `table` prints."""
    everything = [tuple(head), *map(tuple, rows)] if head else [tuple(row) for row in rows]
    if not everything:
        return
    widths = [max(_length(row[index]) for row in everything) for index in range(len(everything[0]))]
    for number, row in enumerate(everything):
        cells = [cell + " " * (width - _length(cell)) for cell, width in zip(row[:-1], widths, strict=False)]
        last = fit(row[-1], used=len(indent) + sum(width + 2 for width in widths[:-1]))
        start = indent if number else name.ljust(len(indent))
        line = (start + "  ".join([*cells, last])).rstrip()
        yield click.style(line, dim=True) if head and number == 0 else line


def fit(text: str, *, used: int) -> str:
    """The first line of `text`, cut so that a terminal line with `used` columns taken holds it."""
    line = text.partition("\n")[0]
    room = max(terminal_width() - used, 20)
    return line if not sys.stdout.isatty() or _length(line) <= room else line[: room - 1] + "…"


def wrapped(text: str, *, first: str, rest: str) -> str:
    """`text` in lines of the terminal's width (in a log: 120), with the indents `first` and `rest`."""
    from textwrap import fill

    width = max(terminal_width(), 40)
    return fill(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def terminal_width() -> int:
    """Columns of the terminal; 120 where there is none."""
    if not sys.stdout.isatty():
        return _LOG_WIDTH
    from shutil import get_terminal_size

    return get_terminal_size((_LOG_WIDTH, 24)).columns


def points(interval: dict[str, float] | None) -> str:
    """A difference of shares with its interval, in percentage points: `+0.12 pp [-0.05, +0.31]`."""
    if interval is None:
        return "-"
    value, low, high = (100 * interval[name] for name in ("value", "low", "high"))
    return f"{value:+.2f} pp [{low:+.2f}, {high:+.2f}]"


def milliseconds(interval: dict[str, float | None]) -> str:
    """A duration with its interval: `12.4 ms [11.8, 15.1]`; a dash for an end that is not known yet."""
    low, high = (f"{end:.3g}" if (end := interval[name]) is not None else "-" for name in ("low", "high"))
    return f"{interval['value']:.3g} ms [{low}, {high}]"


def span(seconds: float) -> str:
    """A length of time for people: `0.4 s`, `12 min 05 s`, `3 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _length(text: str) -> int:
    return len(click.unstyle(text))
