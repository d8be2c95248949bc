"""What a person may do to a rollout: approve, promote, pause, resume, abort; afterwards go back, or try again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.options import Output, actor_option, opened, output_option, workspace_option
from gatewright.cli.output import say, say_json
from gatewright.cli.render import progress_for
from gatewright.cli.status import show_rollout

if TYPE_CHECKING:
    from gatewright.domain.rollout import Rollout, Verb
    from gatewright.workspace import Workspace

_by = actor_option("--by", "actor", "Who asks; it is recorded.")
_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; it is recorded.")
_wait = click.option("--wait/--detach", default=True, help="Drive it to its end, or only start it.")


@click.command()
@_by
@workspace_option
@output_option
def approve(actor: str, root: Path, output: Output) -> None:
    """Allow the next step, which waits for a person because it has `approval: true`.

    The approval holds for this rollout, this model and that one step, once. It may be given ahead; the step still
    begins only on evidence.

    \b
    Examples:
      gatewright rollout approve --by ada
    """
    _carry_out("approve", actor, root, output)


@click.command()
@click.option("--full", is_flag=True, help="Go to 100 % now, without waiting for evidence; who did it is recorded.")
@_by
@workspace_option
@output_option
def promote(full: bool, actor: str, root: Path, output: Output) -> None:
    """Skip what is left of this step's hold; the evidence must still show that the canary is acceptable.

    An abort or an alarm still rolls back, also after --full.

    \b
    Examples:
      gatewright rollout promote --by ada
      gatewright rollout promote --full --by ada
    """
    _carry_out("promote-full" if full else "promote", actor, root, output)


@click.command()
@_by
@workspace_option
@output_option
def pause(actor: str, root: Path, output: Output) -> None:
    """Hold the rollout where it is, until `resume` or `abort`.

    \b
    Examples:
      gatewright rollout pause --by ada
    """
    _carry_out("pause", actor, root, output)


@click.command()
@_by
@workspace_option
@output_option
def resume(actor: str, root: Path, output: Output) -> None:
    """Let a paused rollout go on. One that waits for an approval needs `approve`.

    \b
    Examples:
      gatewright rollout resume --by ada
    """
    _carry_out("resume", actor, root, output)


@click.command()
@_by
@workspace_option
@output_option
def abort(actor: str, root: Path, output: Output) -> None:
    """Roll back now, whatever else is going on. With nothing in progress it does nothing.

    \b
    Examples:
      gatewright rollout abort --by ada
    """
    _carry_out("abort", actor, root, output)


@click.command()
@_reason
@_by
@_wait
@workspace_option
@output_option
def rollback(reason: str, actor: str, wait: bool, root: Path, output: Output) -> None:
    """After a promotion: all traffic back to the version that was promoted before, and this one quarantined.

    Within `rollback_window`. Asked for twice it is done once. Exit 0 restored, 1 the old version did not start.

    \b
    Examples:
      gatewright rollout rollback --by ada --reason "complaints from the call centre"
    """
    from gatewright.engine.reversal import roll_back

    workspace = opened(root)
    found = roll_back(workspace, actor, reason)
    if found is None:
        serving = workspace.registry.serving(workspace.project.model)
        _nothing(workspace, None, f"version {serving.number if serving else '-'} was restored already", output)
        return
    _drive(workspace, found, output, wait=wait)


@click.command()
@click.option("--number", type=int, metavar="N", help="Which version.  [default: the one quarantined last]")
@_reason
@_by
@_wait
@workspace_option
@output_option
def retry(number: int | None, reason: str, actor: str, wait: bool, root: Path, output: Output) -> None:
    """Lift the quarantine of a version that was rolled back, and start a new rollout of it.

    With --detach something else has to drive it: `rollout tick` or `rollout controller`. Exit 0 promoted, 1 rolled
    back, 6 paused.

    \b
    Examples:
      gatewright rollout retry --by ada --reason "the outage was the network's"
      gatewright rollout retry --number 7 --by ada --reason "tested by hand" --detach
    """
    from gatewright.engine.reversal import retry as begin

    workspace = opened(root)
    found, new = begin(workspace, actor, reason, number)
    if not new and output == "text":
        say(f"{found.id} is in progress already")
    _drive(workspace, found, output, wait=wait)


def tell_rollout(workspace: Workspace, rollout: Rollout, output: Output) -> None:
    """Show one rollout: its document for programs, its picture in words for people."""
    from gatewright.engine.status import rollout_view

    found = rollout_view(workspace, rollout)
    if output == "json":
        say_json(found)
    else:
        show_rollout(found)


def _carry_out(verb: Verb, actor: str, root: Path, output: Output) -> None:
    from gatewright.engine.controller import Controller
    from gatewright.engine.operator import ask, needless

    workspace = opened(root)
    found = workspace.rollouts.active(workspace.project.model)
    if found is None:
        say("null" if output == "json" else "no rollout is in progress: nothing to do")
        return
    if why := needless(workspace, found, verb):
        _nothing(workspace, found, why, output)
        return
    after = ask(Controller(workspace, progress_for("json")), workspace, found, verb, actor)
    if output == "json":
        tell_rollout(workspace, after, output)
    elif any(command.verb == verb for command in workspace.rollouts.commands(after)):
        say(f"{after.id}: {verb} is recorded; the process that drives the rollout does it at its next look")
    else:
        say(f"{after.id}: {after.phase} at {after.weight:g} %: {after.why}")


def _nothing(workspace: Workspace, rollout: Rollout | None, why: str, output: Output) -> None:
    """Say that nothing was to be done."""
    found: Any = rollout or workspace.rollouts.latest(workspace.project.model)
    if output == "json":
        tell_rollout(workspace, found, output)
    else:
        say(f"{found.id}: nothing to do: {why}")


def _drive(workspace: Workspace, rollout: Rollout, output: Output, *, wait: bool) -> None:
    """To its end, or until a person is needed; the exit code tells which."""
    from functools import partial

    from gatewright.domain.errors import Pending, StageFailed
    from gatewright.domain.rollout import Phase
    from gatewright.engine.controller import Controller
    from gatewright.engine.runtime import ensure_supervisor
    from gatewright.engine.stages.canary import onward

    ensure_supervisor(workspace)
    if wait:
        ends = (Phase.PROMOTED, Phase.ROLLED_BACK, Phase.PAUSED)
        controller = Controller(workspace, progress_for(output), keep_runtime=partial(ensure_supervisor, workspace))
        rollout = controller.drive(rollout, until=ends)
    tell_rollout(workspace, rollout, output)
    if rollout.phase is Phase.ROLLED_BACK:
        raise StageFailed(f"rolled back: {rollout.why}", fix="what served before serves on: gatewright status")
    if rollout.phase is Phase.PAUSED:
        raise Pending(f"rollout {rollout.id} is paused: {rollout.why}", fix=f"gatewright rollout {onward(rollout)}")
