"""`gatewright serve`: the local runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli.failures import CommandGroup
from gatewright.cli.options import Output, opened_for_any, output_option, workspace_option
from gatewright.cli.output import say, say_json
from gatewright.cli.status import show_processes

if TYPE_CHECKING:
    from gatewright.workspace import Workspace


@click.group(cls=CommandGroup)
def serve() -> None:
    """Start, stop or look at the supervisor, which owns the gateway and the model servers.

    `run` and `canary` start it when it is needed; it outlives them.

    \b
    Examples:
      gatewright serve start
      gatewright serve status
      gatewright serve stop
    """


@serve.command()
@workspace_option
@output_option
def start(root: Path, output: Output) -> None:
    """Start it unless it runs, and wait until the gateway answers.

    \b
    Examples:
      gatewright serve start
    """
    from gatewright.engine.runtime import ensure_supervisor, supervisor_runs

    workspace = _served_here(root)
    running = supervisor_runs(workspace)
    ensure_supervisor(workspace)
    address = _address(workspace)
    if output == "json":
        say_json({"started": not running, "address": address})
    else:
        say(("it runs already" if running else "started") + (f": {address}" if address else ""))


@serve.command()
@workspace_option
@output_option
def stop(root: Path, output: Output) -> None:
    """Stop it with all that it runs. Live traffic through the gateway ends with it.

    \b
    Examples:
      gatewright serve stop
    """
    from gatewright.engine.runtime import stop_supervisor

    stopped = stop_supervisor(opened_for_any(root))
    if output == "json":
        say_json({"stopped": stopped})
    else:
        say("stopped" if stopped else "nothing ran")


@serve.command()
@workspace_option
@output_option
def status(root: Path, output: Output) -> None:
    """Its processes. Exit 4 when it does not run.

    \b
    Examples:
      gatewright serve status
      gatewright serve status --output json
    """
    from gatewright.domain.errors import WorldFailed
    from gatewright.engine.status import processes

    workspace = opened_for_any(root)
    rows = processes(workspace, every_model=True)
    runs = any(row["name"] == "supervisor" and row["state"] != "gone" for row in rows)
    if output == "json":
        say_json({"runs": runs, "address": _address(workspace), "processes": rows})
    else:
        show_processes(rows)
    if not runs:
        raise WorldFailed("the supervisor does not run", fix="gatewright serve start")


def _served_here(root: Path) -> Workspace:
    """The workspace of the first model whose gateway runs on this machine; UnusableInput when there is none."""
    from gatewright.config.project import read_configuration
    from gatewright.domain.errors import UnusableInput
    from gatewright.workspace import CONFIG, Plugins, Workspace

    plugins = Plugins()
    projects = read_configuration(root / CONFIG, plugins).projects
    for model, project in projects.items():
        if project.serving.kind in plugins.names("gateways"):
            return Workspace.open(root, model)
    elsewhere = ", ".join(f"{model} by {project.serving.kind}" for model, project in projects.items())
    raise UnusableInput(f"nothing is served on this machine: {elsewhere}", fix="gatewright status shows what serves")


def _address(workspace: Workspace) -> str | None:
    """Where clients ask for predictions, if the serving kind has a host and a port of its own."""
    from gatewright.domain.documents import plain

    options = plain(workspace.project.serving.options) or {}
    return f"http://{options['host']}:{options['port']}" if {"host", "port"} <= options.keys() else None
