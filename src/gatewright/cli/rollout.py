"""`gatewright canary` and `gatewright rollout`: stages 5 and 6, and the operator's verbs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli import operator
from gatewright.cli.controller import controller
from gatewright.cli.failures import CommandGroup
from gatewright.cli.operator import tell_rollout
from gatewright.cli.options import (
    Output,
    env_file_option,
    opened,
    output_option,
    run_option,
    workspace_option,
    write_env,
)
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
@click.option("--wait/--detach", default=True, help="Stay until it is healthy or rolled back, or only start it.")
@click.option(
    "--start",
    "begins",
    is_flag=True,
    help="Stay until the canary answers and its first weight is read back, and end: for the job of a CI.",
)
@workspace_option
@run_option
@output_option
def canary(wait: bool, begins: bool, root: Path, run_id: str | None, output: Output) -> None:
    """Give the registered version its first share of live traffic and watch it.

    Exit 0 healthy (or begun, with --start; or started, with --detach), 1 rolled back, 6 paused.

    \b
    Examples:
      gatewright canary
      gatewright canary --start       then, on a schedule: gatewright rollout tick
    """
    if begins:
        _begin(root, run_id, output)
        return
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


def _begin(root: Path, run_id: str | None, output: Output) -> None:
    from gatewright.engine.opening import choose_run
    from gatewright.engine.stages.starting import begin

    workspace = opened(root, run_id)
    run = choose_run(workspace, run_id)
    with run.hold():
        rollout = begin(workspace, run, progress_for(output))
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
@click.option("--if-ended", is_flag=True, help="For schedules: one that goes on, or none at all, is fine (exit 0).")
@workspace_option
@run_option
@output_option
def finish(wait: bool, if_ended: bool, root: Path, run_id: str | None, output: Output) -> None:
    """All traffic on the new version, read back; the baseline moved; the record written.

    Exit 0 promoted and recorded, 1 rolled back, 6 still going on.

    \b
    Examples:
      gatewright rollout finish
      gatewright rollout finish --no-wait
      gatewright rollout finish --if-ended --run "$GATEWRIGHT_RUN"
    """
    if if_ended and not _has_ended(root, run_id):
        say("null" if output == "json" else "no rollout has ended: nothing to finish")
        return
    if wait:
        one_stage("rollout finish", root, run_id, output)
        return
    from gatewright.engine.opening import choose_run
    from gatewright.engine.stages.finish import finish as finish_stage
    from gatewright.engine.telling import tell_due

    workspace = opened(root, run_id)
    tell_due(workspace, progress_for(output))
    run = choose_run(workspace, run_id)
    with run.hold():
        show_handoff(run.id, finish_stage(workspace, run, progress_for(output), wait=False), output)


def _has_ended(root: Path, run_id: str | None) -> bool:
    workspace = opened(root, run_id)
    found = workspace.rollouts.of_run(run_id) if run_id else None
    return found is not None and found.phase.terminal


@rollout.command()
@click.option("--if-active", is_flag=True, help="For schedules: no rollout in progress is fine (exit 0).")
@env_file_option
@workspace_option
@output_option
def tick(if_active: bool, env_file: Path | None, root: Path, output: Output) -> None:
    """One look, one decision, one record, one effect; for schedules. Exit 0, whatever was decided.

    --env-file gets GATEWRIGHT_RUN, the run of the rollout, and GATEWRIGHT_TERMINAL: true when this tick ended it, so
    that stage 6 follows (gatewright rollout finish).

    \b
    Examples:
      gatewright rollout tick
      gatewright rollout tick --output json
      gatewright rollout tick --if-active --env-file .gatewright/tick.env
    """
    from gatewright.engine.controller import Controller
    from gatewright.engine.runtime import ensure_supervisor
    from gatewright.engine.telling import tell_due
    from gatewright.engine.tending import tend_once

    workspace = opened(root)
    tell_due(workspace, progress_for(output))  # what the end of the rollout before has left untold,
    tend_once(workspace, progress_for(output))  # and undone
    if if_active and workspace.rollouts.active(workspace.project.model) is None:
        write_env(env_file, {"GATEWRIGHT_TERMINAL": "false"})
        say("null" if output == "json" else "no rollout is in progress: nothing to do")
        return
    rollout = _active(workspace)
    ensure_supervisor(workspace)
    try:
        after = Controller(workspace, progress_for(output)).tick(rollout)
    finally:
        workspace.rollouts.release(rollout, workspace.owner)  # the next one may be made by another machine
    write_env(env_file, {"GATEWRIGHT_RUN": after.run, "GATEWRIGHT_TERMINAL": str(after.phase.terminal).lower()})
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
