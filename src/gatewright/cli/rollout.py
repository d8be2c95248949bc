"""`gatewright canary` and `gatewright rollout`: stages 5 and 6, and the operator's verbs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli import operator
from gatewright.cli.controller import controller
from gatewright.cli.failures import CommandGroup
from gatewright.cli.operator import tell_rollout
from gatewright.cli.options import Output, opened, output_option, run_option, workspace_option
from gatewright.cli.output import say
from gatewright.cli.preflight import preflight
from gatewright.cli.render import progress_for
from gatewright.cli.rollout_report import report
from gatewright.cli.stages import one_stage, show_handoff
from gatewright.cli.watch import watch

if TYPE_CHECKING:
    from gatewright.domain.rollout import Rollout
    from gatewright.workspace import Workspace


@click.command()
@click.option(
    "--wait/--detach", default=True, help="Stay until it is healthy or rolled back, or only start it (for CI jobs)."
)
@workspace_option
@run_option
@output_option
def canary(wait: bool, root: Path, run_id: str | None, output: Output) -> None:
    """Give the registered version its first share of live traffic and watch it.

    Exit 0 healthy (or started, with --detach), 1 rolled back, 6 paused.

    \b
    Examples:
      gatewright canary
      gatewright canary --detach      then, on a schedule: gatewright rollout tick
    """
    if wait:
        one_stage("canary", root, run_id, output)
        return
    from gatewright.engine.handover import Handover
    from gatewright.engine.opening import choose_run
    from gatewright.engine.preflight import misgiving
    from gatewright.engine.stages.canary import start_rollout
    from gatewright.store.runs import ROLLOUT

    workspace = opened(root)
    run = choose_run(workspace, run_id)
    with run.hold():
        rollout = start_rollout(Handover(workspace, run, "canary", ROLLOUT), run)
    if warning := misgiving(workspace, rollout):
        progress_for(output).warning(warning)
    tell_rollout(workspace, rollout, output)


@click.group(cls=CommandGroup)
def rollout() -> None:
    """Stage 6, and what an operator can do to a rollout.

    \b
    Examples:
      gatewright rollout finish
      gatewright rollout status --output json
      gatewright rollout abort --by ada
    """


@rollout.command()
@click.option("--wait/--no-wait", default=True, help="Wait for the rollout to end; without, exit 6 while it goes on.")
@workspace_option
@run_option
@output_option
def finish(wait: bool, root: Path, run_id: str | None, output: Output) -> None:
    """All traffic on the new version, read back; the baseline moved; the record written.

    Exit 0 promoted and recorded, 1 rolled back, 6 still going on.

    \b
    Examples:
      gatewright rollout finish
      gatewright rollout finish --no-wait
    """
    if wait:
        one_stage("rollout finish", root, run_id, output)
        return
    from gatewright.engine.opening import choose_run
    from gatewright.engine.stages.finish import finish as finish_stage

    workspace = opened(root)
    run = choose_run(workspace, run_id)
    with run.hold():
        show_handoff(run.id, finish_stage(workspace, run, progress_for(output), wait=False), output)


@rollout.command()
@workspace_option
@output_option
def tick(root: Path, output: Output) -> None:
    """One look, one decision, one record, one effect; for schedules. Exit 0, whatever was decided.

    \b
    Examples:
      gatewright rollout tick
      gatewright rollout tick --output json
    """
    from gatewright.engine.controller import Controller
    from gatewright.engine.runtime import ensure_supervisor

    workspace = opened(root)
    rollout = _active(workspace)
    ensure_supervisor(workspace)
    try:
        after = Controller(workspace, progress_for(output)).tick(rollout)
    finally:
        workspace.rollouts.release(rollout, workspace.owner)  # the next one may be made by another machine
    tell_rollout(workspace, after, output)


@rollout.command()
@click.option("--watch", "live", is_flag=True, help="Go on showing it until it has ended; Ctrl-C changes nothing.")
@workspace_option
@output_option
def status(live: bool, root: Path, output: Output) -> None:
    """Phase, weight recorded and observed, hold served, evidence against its limits, and where it is heading.

    \b
    Examples:
      gatewright rollout status
      gatewright rollout status --watch
      gatewright rollout status --output json
    """
    workspace = opened(root)
    found = workspace.rollouts.active(workspace.project.model) or workspace.rollouts.latest(workspace.project.model)
    if found is None:
        say("null" if output == "json" else "no rollout yet: gatewright canary starts one")
        return
    if live:
        watch(workspace, found, output)
        return
    tell_rollout(workspace, found, output)


def _active(workspace: Workspace) -> Rollout:
    from gatewright.domain.errors import UnusableInput

    found = workspace.rollouts.active(workspace.project.model)
    if found is None:
        raise UnusableInput("no rollout is in progress", fix="start one: gatewright canary")
    return found


for command in (
    operator.approve,
    operator.promote,
    operator.pause,
    operator.resume,
    operator.abort,
    operator.rollback,
    operator.retry,
    preflight,
    controller,
    report,
):
    rollout.add_command(command)
