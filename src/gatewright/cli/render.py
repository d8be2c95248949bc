"""How progress looks: a live line on a terminal, plain lines in a log, nothing but warnings for programs."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.output import fit, say, span, terminal_width, wrapped

if TYPE_CHECKING:
    from rich.live import Live as RichLive

    from gatewright.ports import Progress

_MARKS = {"passed": ("✔", "green"), "failed": ("✘", "red"), "skipped": ("-", "cyan"), "pending": ("…", "yellow")}
_NOTE = 31
_REPEAT_S = 15.0
_REPEAT_AT_MOST_S = 600.0


def progress_for(output: str) -> Progress:
    """Progress for this output: quiet for json, live on a terminal, plain elsewhere."""
    if output == "json":
        return Quiet()
    if not sys.stdout.isatty():
        return Plain()
    live = Live()
    click.get_current_context().call_on_close(live.close)
    return live


class Quiet:
    """Says nothing, but each warning as a line of JSON on standard error."""

    def stage(self, name: str, state: str, note: str = "") -> None:
        """Nothing."""

    def waiting(self, what: str) -> None:
        """Nothing."""

    def line(self, text: str) -> None:
        """Nothing."""

    def warning(self, text: str) -> None:
        """One line of JSON."""
        say(json.dumps({"warning": text}, ensure_ascii=False), err=True)


class Plain:
    """One line per event; what is waited for is told when it changes, and then less and less often."""

    def __init__(self) -> None:
        self._started = self._told_at = time.monotonic()
        self._told = ""
        self._name = ""
        self._warned: set[str] = set()

    def stage(self, name: str, state: str, note: str = "") -> None:
        """`► name` when it starts, a mark and the elapsed time when it ends.

        The reason of a failure is told in full by the error that follows: here its first line is enough.
        """
        if state == "started":
            self._name, self._started, self._told = name, time.monotonic(), ""
            self._say(click.style(f"► {name}", bold=True))
            return
        mark, colour = _MARKS[state]
        elapsed = span(self._elapsed()) if name == self._name else ""
        start = f"{click.style(mark, fg=colour)} {name:<15} {elapsed:>11}  "
        shown = fit(note, used=_NOTE) if state == "failed" else wrapped(note, first=" " * _NOTE, rest=" " * _NOTE)
        self._say((start + shown.strip()).rstrip())

    def waiting(self, what: str) -> None:
        """A line when the part before the colon changes, and now and then when it does not."""
        now = time.monotonic()
        head = what.partition(":")[0]
        pause = min(max(_REPEAT_S, (now - self._started) / 4), _REPEAT_AT_MOST_S)
        if head != self._told or now - self._told_at > pause:
            self._told, self._told_at = head, now
            self._say(f"  {span(now - self._started):>9}  {what}")

    def line(self, text: str) -> None:
        """A line of a command's output, indented; of a line that overwrites itself, the last state."""
        self._say(f"    | {text.rstrip().rpartition(chr(13))[2]}")

    def warning(self, text: str) -> None:
        """Lines that stand out; a warning that was told before is only named again."""
        shown = text if text not in self._warned else f"{text[:60].rstrip()}… (as above)"
        self._warned.add(text)
        lines = wrapped(shown, first="  ! ", rest="    ")
        self._say(click.style(lines[:4], fg="yellow", bold=True) + lines[4:])

    def _say(self, text: str) -> None:
        say(text)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started


class Live(Plain):
    """As Plain, with one live line below: the stage, the time it has taken so far, and what it waits for."""

    def __init__(self) -> None:
        super().__init__()
        self._what = ""
        self._live: RichLive | None = None

    def stage(self, name: str, state: str, note: str = "") -> None:
        """Start or end the live line."""
        self.close()
        super().stage(name, state, note)
        if state == "started":
            self._what = ""
            self._begin()

    def waiting(self, what: str) -> None:
        """Renew the live line; a line stays when the part before the colon changes."""
        head = what.partition(":")[0]
        if self._told and head != self._told:
            self._say(click.style(f"  {span(self._elapsed()):>9}  {fit(what, used=13)}", dim=True))
        self._told, self._what = head, what

    def close(self) -> None:
        """Take the live line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _say(self, text: str) -> None:
        """Above the live line when there is one."""
        if self._live is None:
            say(text)
            return
        from rich.text import Text

        self._live.console.print(Text.from_ansi(text), soft_wrap=True)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive
        from rich.spinner import Spinner

        spinner = Spinner("dots", style="cyan")

        def row() -> Any:
            spinner.update(text=_one_line(f"{self._name}  {span(self._elapsed())}  {self._what}"))
            return spinner

        self._live = RichLive(
            console=Console(highlight=False), get_renderable=row, refresh_per_second=10, transient=True
        )
        self._live.start()


def _one_line(text: str) -> Any:
    from rich.text import Text

    shown = Text(text, no_wrap=True, overflow="ellipsis")
    shown.truncate(max(terminal_width() - 3, 20), overflow="ellipsis")
    return shown
