"""How progress looks: a live line on a terminal, plain lines in a log, nothing at all for programs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.status import Status

    from gatewright.ports import Progress

_MARKS = {"passed": ("✔", "green"), "failed": ("✘", "red"), "skipped": ("-", "cyan"), "pending": ("…", "yellow")}
_REPEAT_S = 15.0


def progress_for(output: str) -> Progress:
    """Progress for this output: quiet for json, live on a terminal, plain elsewhere."""
    if output == "json":
        return Quiet()
    return Live() if sys.stdout.isatty() else Plain()


class Quiet:
    """Says nothing, but a warning on standard error."""

    def stage(self, name: str, state: str, note: str = "") -> None:
        """Nothing."""

    def waiting(self, what: str) -> None:
        """Nothing."""

    def line(self, text: str) -> None:
        """Nothing."""

    def warning(self, text: str) -> None:
        """A line on standard error."""
        click.echo(f"warning: {text}", err=True)


class Plain:
    """One line per event; what is waited for is told when it changes, and every quarter of a minute."""

    def __init__(self) -> None:
        self._started = self._told_at = time.monotonic()
        self._told = ""
        self._name = ""

    def stage(self, name: str, state: str, note: str = "") -> None:
        """`► name` when it starts, a mark and the elapsed time when it ends."""
        if state == "started":
            self._name, self._started, self._told = name, time.monotonic(), ""
            click.echo(click.style(f"► {name}", bold=True))
            return
        mark, colour = _MARKS[state]
        elapsed = f"{time.monotonic() - self._started:.1f} s" if name == self._name else ""
        lines = note.splitlines() or [""]
        click.echo(f"{click.style(mark, fg=colour)} {name:<15} {elapsed:>7}  {lines[0]}")
        for line in lines[1:]:
            click.echo(f"{'':<27}{line}")

    def waiting(self, what: str) -> None:
        """A line when the part before the colon changes."""
        now = time.monotonic()
        head = what.partition(":")[0]
        if head != self._told or now - self._told_at > _REPEAT_S:
            self._told, self._told_at = head, now
            click.echo(f"  {now - self._started:5.1f} s  {what}")

    def line(self, text: str) -> None:
        """A line of a command's output, indented."""
        click.echo(f"    | {text}")

    def warning(self, text: str) -> None:
        """A line that stands out."""
        click.echo(click.style("  ! ", fg="yellow") + text)


class Live(Plain):
    """As Plain, with one live line below: the stage, the time it has taken, and what it waits for."""

    def __init__(self) -> None:
        super().__init__()
        self._status: Status | None = None

    def stage(self, name: str, state: str, note: str = "") -> None:
        """Start or end the live line."""
        self._end()
        super().stage(name, state, note)
        if state == "started":
            self._status = self._begin(f"{name} …")

    def waiting(self, what: str) -> None:
        """Renew the live line."""
        if self._status is not None:
            from rich.markup import escape

            self._status.update(escape(f"{self._name} {time.monotonic() - self._started:.0f} s  {what}"))

    def _begin(self, text: str) -> Any:
        from rich.console import Console

        status = Console().status(text)
        status.start()
        return status

    def _end(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def __del__(self) -> None:
        self._end()
