"""The pipeline of a team that evaluates by itself: one job, which writes the report and asks the gates."""

from __future__ import annotations

from gatewright.ci.pipeline import Command, Job, Pipeline
from gatewright.domain.ci import CiCredentials

SUFFIX = "-gate"
"""What the names of its files end with where there are others."""
HEAD = (
    "Written by `gatewright init`: the gates on a report of your own. It is yours to change: docs/getting-started.md."
)
_EVERYTHING = "**/*"
_MINUTES = 60


def gate_pipeline(
    *,
    model: str,
    branch: str,
    folder: str,
    commands: tuple[Command, ...],
    install: tuple[tuple[str, ...], ...],
    requirements: str | None,
) -> Pipeline:
    """On each push to `branch` and each pull request: `install`, then `commands`, the last of which is the gates.

    It needs no state, no secret and no right but to read, so a pull request of a fork is judged, too.
    """
    below = f"{folder}/" if folder else ""
    job = Job(name="gate", commands=commands, runner=(), timeout=_MINUTES, stateful=False)
    return Pipeline(
        model=model,
        folder=folder,
        branch=branch,
        paths=(f"{below}{_EVERYTHING}",),
        after=(),
        inputs=(),
        jobs=(job,),
        scheduled=(),
        report=None,
        python="3.12",
        install=install,
        requirements=f"{below}{requirements}" if requirements else "",
        cache=requirements is not None,
        pull_requests=True,
        credentials=CiCredentials(),
        local=True,
        head=HEAD,
    )
