"""A command of the team's own, which reads each notice as JSON from its standard input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import MinLen

from gatewright.domain.documents import canonical_json, plain
from gatewright.domain.duration import Duration
from gatewright.domain.errors import WorldFailed
from gatewright.domain.notice import Notice, NoticeKind
from gatewright.effects.commands import run_captured
from gatewright.effects.processes import interpreter_first
from gatewright.ports import Context

_MOST_SAID = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """An entry of `notify` with `kind: command`.

    `command` is an argv list, never a shell line, and runs in the workspace for at most `timeout`; no `events` means
    all.
    """

    command: Annotated[tuple[Annotated[str, MinLen(1)], ...], MinLen(1)]
    events: tuple[NoticeKind, ...] = ()
    timeout: Duration = Duration(3.0)


class Command:
    """Port `Notifier` by a process: exit code 0 takes it."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._root = context.root

    def tell(self, notice: Notice) -> None:
        """Run the command with the notice. WorldFailed when it does not start, takes too long, or fails."""
        argv = self._options.command
        done = run_captured(
            argv,
            cwd=self._root,
            env=interpreter_first(),
            timeout_s=self._options.timeout.seconds,
            limit=1 << 20,
            stdin=canonical_json(plain(notice)) + b"\n",
        )
        if done.timed_out:
            raise WorldFailed(f"{argv[0]} took more than {self._options.timeout}", fix="give it more: notify.timeout")
        if done.code != 0:
            said = done.err.decode(errors="replace").strip()[-_MOST_SAID:]
            raise WorldFailed(f"{argv[0]} ended with exit code {done.code}{': ' if said else ''}{said}")
