"""`gatewright rollout controller`: the daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.options import Output, models_served_here, opened_for_any, output_option, workspace_option
from gatewright.cli.output import say
from gatewright.cli.render import progress_for

if TYPE_CHECKING:
    from gatewright.ports import Clock


@click.command()
@click.option("--until-idle", is_flag=True, help="End when no rollout is open any more.")
@workspace_option
@output_option
def controller(until_idle: bool, root: Path, output: Output) -> None:
    """Drive every open rollout of every model of the workspace, until SIGTERM or Ctrl-C.

    It takes up rollouts that begin while it runs. An error of one rollout is told and tried again; the others go on.
    Where the state is shared and the runtime is up, this machine follows what others bring to production.
    With --output json each event is one line of JSON.

    \b
    Examples:
      gatewright rollout controller
      gatewright rollout controller --until-idle --output json
    """
    import signal

    from gatewright.engine.fleet import Fleet
    from gatewright.engine.runtime import ensure_supervisor
    from gatewright.workspace import Workspace

    workspace = opened_for_any(root)
    fleet = Fleet(
        workspace.rollouts,
        workspace.clock,
        progress_for("json"),
        Told(workspace.clock, output),
        open_model=lambda model: Workspace.open(root, model),
        keep_runtime=ensure_supervisor,
        served_here=models_served_here(workspace.root),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, fleet.stop)
    fleet.run(until_idle=until_idle)


class Told:
    """The daemon's journal on standard output: a line an event."""

    def __init__(self, clock: Clock, output: Output) -> None:
        self._clock = clock
        self._output = output

    def __call__(self, event: str, **facts: Any) -> None:
        """The line of one event."""
        at = self._clock.now().isoformat(timespec="milliseconds")
        if self._output == "json":
            say(json.dumps({"at": at, "event": event, **facts}, ensure_ascii=False))
        elif event == "rollout":
            say(f"{at}  {facts['rollout']}: {facts['phase']} at {facts['weight']:g} %: {facts['why']}")
        elif event == "follows":
            say(f"{at}  {facts['model']}: serves version {facts['version']}, as production does")
        elif "error" in facts:
            say(click.style(f"{at}  {facts['rollout'] or facts['model']}: {event}: {facts['error']}", fg="yellow"))
        else:
            say(f"{at}  {event}")
