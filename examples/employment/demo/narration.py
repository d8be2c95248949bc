"""What the stranger at the terminal reads: what is about to happen, the command, and what its output means."""

from __future__ import annotations

import os
import sys
import textwrap

WIDTH = 100
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Narrator:
    """Writes to standard output; colours only on a terminal, and not when NO_COLOR is set."""

    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def act(self, number: int, title: str) -> None:
        """The head of an act."""
        line = f"── Act {number}: {title} "
        self._write("\n" + self._paint(line + "─" * max(WIDTH - len(line), 0), "bold", "cyan"))

    def headline(self, title: str) -> None:
        """The head of what is no act."""
        self._write("\n" + self._paint(title, "bold"))

    def say(self, text: str) -> None:
        """Prose, wrapped."""
        self._write(textwrap.fill(" ".join(text.split()), WIDTH))

    def command(self, words: str) -> None:
        """What is run now, as a user would type it in the workspace."""
        self._write("\n" + self._paint(f"$ {words}", "bold"))

    def row(self, text: str) -> None:
        """One line as it stands."""
        self._write(text)

    def good(self, text: str) -> None:
        """How it should have come out, and did."""
        self._write(self._paint(f"→ {text}", "green"))

    def bad(self, text: str) -> None:
        """How it should not have come out."""
        self._write(self._paint(f"→ {text}", "red"))

    def _paint(self, text: str, *styles: str) -> str:
        if not self._coloured:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def _write(self, text: str) -> None:
        print(text, flush=True)
