"""Scoring in a child of the workspace's nursery, which has the libraries loaded."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from gatewright.domain.errors import Interrupted
from gatewright.effects.commands import stream
from gatewright.effects.failpoints import failpoint
from gatewright.effects.nursery import Child, Refused, ask
from gatewright.effects.processes import interpreter_first
from gatewright.effects.surroundings import surroundings
from gatewright.engine.nursery import FOLDER
from gatewright.ports import Job, JobResult, Progress
from gatewright.store.processes import NURSERY
from gatewright.workspace import STATE, Workspace

SCORING = ("-m", "gatewright.serving.scoring")
_GRACE_S = 2.0


def run_forked(workspace: Workspace, job: Job, progress: Progress) -> JobResult | None:
    """Score as `executor.run(job)` does, in a child of the nursery; None when there is none, or not a fitting one.

    Why not is told in the job's log. A nursery that dies meanwhile takes its child with it, and the answer is None too.
    """
    row = workspace.processes.get(NURSERY)
    if job.argv[1:3] != SCORING or row is None or not row.ready:
        return None
    failpoint("before-spawn:" + Path(job.argv[0]).name)
    env = interpreter_first(job.env)
    started = time.monotonic()
    try:
        with ask(
            workspace.root / STATE / FOLDER,
            pid=row.identity.pid,
            arguments=job.argv[3:],
            cwd=job.cwd,
            env=env,
            known=surroundings(env, job.cwd),
        ) as child:
            code, timed_out = _attend(child, job, progress)
    except Refused as error:
        _note(job, f"not in the nursery: {error}")
        return None
    if child.lost and not timed_out:
        _note(job, "the nursery ended meanwhile; once more in a process of its own")
        return None
    return JobResult(
        code=-signal.SIGKILL if timed_out else code,
        ended="timeout" if timed_out else "exited",
        seconds=time.monotonic() - started,
    )


def _attend(child: Child, job: Job, progress: Progress) -> tuple[int, bool]:
    try:
        return stream(lambda: child, log=job.log, timeout_s=job.timeout_s, on_line=progress.line, grace_s=_GRACE_S)
    except KeyboardInterrupt:
        raise Interrupted(
            "scoring was interrupted, with everything it started",
            fix="what is done stays done: gatewright run --resume RUN",
        ) from None


def _note(job: Job, text: str) -> None:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("a", encoding="utf-8") as file:
        file.write(text + "\n")
