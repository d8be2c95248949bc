"""This machine: `gatewright run` in a process of its own, which outlives the watcher."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import MinLen

from gatewright.domain.claim import Order, Started
from gatewright.domain.duration import Duration
from gatewright.domain.errors import Pending, StartFailed
from gatewright.effects.processes import interpreter_first, spawn, wait_until
from gatewright.ports import Context

_MAIN = "from gatewright.cli.main import main; main()"
_PENDING, _WORLD = 6, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`command` starts the run instead of `gatewright run`: an argv list in which {run.id}, {data.version}, {model} and
    {reason} are filled in. It is started at least once for a run, and has to tell the second time by the run's id."""

    command: tuple[Annotated[str, MinLen(1)], ...] = ()
    begin: Duration = Duration(120.0)


class LocalTrigger:
    """Port `Trigger` on this machine. A run that is there already is gone on with, not opened again."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._root = context.root

    def start(self, order: Order) -> Started:
        """Start the process, and wait until its run has begun; what it says is in `.gatewright/watch/RUN.log`."""
        folder = self._root / ".gatewright" / "watch"
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / f"{order.run}.log"
        with log.open("ab") as stream:
            before = stream.tell()
            child = spawn(self._argv(order), cwd=self._root, env=interpreter_first(), log=stream)
        place = log.relative_to(self._root).as_posix()
        started = Started(what=f"started run {order.run} in process {child.pid}", place=place, pid=child.pid)
        if self._options.command:
            return started
        lock = self._root / ".gatewright" / "runs" / order.run / "lock.json"
        wait_until(lambda: lock.exists() or child.poll() is not None, timeout_s=self._options.begin.seconds)
        if lock.exists():
            return started
        code = child.poll()
        if code == 0:
            return Started(what="gatewright run found nothing to run", place=place)
        if code == _PENDING:
            raise Pending(_said(log, before), fix="it is tried again with the next look")
        if code is None:
            return Started(what=f"process {child.pid} runs, and its run has not begun yet", place=place, pid=child.pid)
        what = f"gatewright run ended with {code}: {_said(log, before)}"
        raise StartFailed(what, fix=f"see {place}", again=code == _WORLD)

    def _argv(self, order: Order) -> list[str]:
        if not self._options.command:
            words = ["run", "--run-id", order.run, "--model", order.model, "-C", str(self._root)]
            return [sys.executable, "-c", _MAIN, *words]
        known = {"run.id": order.run, "data.version": order.data_version, "model": order.model, "reason": order.reason}
        argv = list(self._options.command)
        for name, value in known.items():
            argv = [word.replace(f"{{{name}}}", value) for word in argv]
        return argv


def _said(log: Path, start: int) -> str:
    """The error in the log, or else its last line."""
    lines = log.read_bytes()[start:].decode("utf-8", "replace").splitlines()
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")] or lines
    return told[-1].strip() if told else "it said nothing"
