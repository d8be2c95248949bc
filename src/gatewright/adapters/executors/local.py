"""Runs a command on this machine, in its own session, and ends everything it started."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gatewright.domain.errors import Interrupted
from gatewright.effects.commands import run_streaming
from gatewright.effects.processes import interpreter_first
from gatewright.ports import Context, Job, JobResult, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A local command needs none."""


class LocalExecutor:
    """The executor for laptops and for CI jobs that are on the right machine already."""

    def __init__(self, options: Options, context: Context) -> None:
        self._root = context.root

    def run(self, job: Job, progress: Progress) -> JobResult:
        """Run `job`; its output streams to `job.log` and to `progress.line`.

        `code` is below zero when a signal ended it. Interrupted on Ctrl-C, after everything it started was ended;
        WorldFailed when the program cannot be started or the log not be written.
        """
        started = time.monotonic()
        try:
            code, timed_out = run_streaming(
                job.argv,
                cwd=job.cwd,
                env=interpreter_first(job.env),
                log=job.log,
                timeout_s=job.timeout_s,
                on_line=progress.line,
            )
        except KeyboardInterrupt:
            raise Interrupted(
                f"{job.argv[0]} was interrupted after {time.monotonic() - started:.0f} s, with everything it started",
                fix="what is done stays done: gatewright run --resume RUN",
            ) from None
        return JobResult(code=code, ended="timeout" if timed_out else "exited", seconds=time.monotonic() - started)
