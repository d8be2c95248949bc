"""`gatewright serve`: the local runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.failures import CommandGroup
from gatewright.cli.options import Output, models_served_here, opened_for_any, output_option, workspace_option
from gatewright.cli.output import say, say_json
from gatewright.cli.status import show_processes
from gatewright.domain.documents import short

if TYPE_CHECKING:
    from gatewright.domain.errors import GatewrightError
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

    Where the state is shared, this machine serves what production serves: the version is brought here and proven, also
    when another one was served here before. With the shared state out of reach it serves what it served last.

    \b
    Examples:
      gatewright serve start
    """
    from gatewright.engine.runtime import ensure_supervisor, supervisor_runs

    workspaces, doubt = _opened_here(root)
    followed, failed = ([], None) if doubt else _follow(workspaces)
    running = supervisor_runs(workspaces[0])
    ensure_supervisor(workspaces[0])
    address = _address(workspaces[0])
    if output == "json":
        say_json({"started": not running, "address": address, "followed": followed, "doubt": doubt})
    else:
        say(("it runs already" if running else "started") + (f": {address}" if address else ""))
        for found in followed:
            _tell(found)
        if doubt:
            say(click.style(f"{doubt}; it serves what it served last", fg="yellow"), err=True)
    if failed is not None:
        raise failed


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

    stopped = stop_supervisor(opened_for_any(root, here_only=True))
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

    workspace = opened_for_any(root, here_only=True)
    rows = processes(workspace, every_model=True)
    runs = any(row["name"] == "supervisor" and row["state"] != "gone" for row in rows)
    if output == "json":
        say_json({"runs": runs, "address": _address(workspace), "processes": rows})
    else:
        show_processes(rows)
    if not runs:
        raise WorldFailed("the supervisor does not run", fix="gatewright serve start")


def _follow(workspaces: list[Workspace]) -> tuple[list[dict[str, Any]], GatewrightError | None]:
    """What each model's traffic follows now; what fails for one of them does not keep the others from being served."""
    from gatewright.domain.documents import plain
    from gatewright.domain.errors import GatewrightError
    from gatewright.engine.following import follow

    told, failed = [], None
    for workspace in workspaces:
        try:
            found = follow(workspace)
        except GatewrightError as error:
            failed = failed or error
            continue
        if found.moved or found.climbing:
            told.append({"model": workspace.project.model, **plain(found)})
    return told, failed


def _tell(found: dict[str, Any]) -> None:
    if found["moved"]:
        instead = f" instead of model {short(found['before'])}" if found["before"] else ""
        say(f"{found['model']}: serves version {found['version']['number']}, as production does{instead}")
    if found["climbing"]:
        say(f"{found['model']}: rollout {found['climbing']} goes on where its traffic is; here its canary has none")


def _opened_here(root: Path) -> tuple[list[Workspace], str | None]:
    """The workspaces of the models served here; and why only as last seen here, when the shared state is out of reach.

    WorldFailed when nothing was served here before.
    """
    from gatewright.domain.errors import WorldFailed
    from gatewright.workspace import Workspace

    models = _served_here(root)
    try:
        return [Workspace.open(root, model) for model in models], None
    except WorldFailed as error:
        workspaces = [Workspace.open(root, model, here_only=True) for model in models]
        if not workspaces[0].routes.all():
            raise
        return workspaces, str(error)


def _served_here(root: Path) -> list[str]:
    """The models whose gateway runs on this machine; UnusableInput when there is none."""
    from gatewright.config.project import read_configuration
    from gatewright.domain.errors import UnusableInput
    from gatewright.workspace import CONFIG, Plugins

    if here := models_served_here(root):
        return here
    projects = read_configuration(root / CONFIG, Plugins()).projects
    elsewhere = ", ".join(f"{model} by {project.serving.kind}" for model, project in projects.items())
    raise UnusableInput(f"nothing is served on this machine: {elsewhere}", fix="gatewright status shows what serves")


def _address(workspace: Workspace) -> str | None:
    """Where clients ask for predictions, if the serving kind has a host and a port of its own."""
    from gatewright.domain.documents import plain

    options = plain(workspace.project.serving.options) or {}
    return f"http://{options['host']}:{options['port']}" if {"host", "port"} <= options.keys() else None
