"""`gatewright serve`: the local runtime."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.options import opened, workspace_option


@click.group()
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
def start(root: Path) -> None:
    """Start it unless it runs, and wait until the gateway answers."""
    from gatewright.engine.runtime import ensure_supervisor, supervisor_runs

    workspace = opened(root)
    running = supervisor_runs(workspace)
    ensure_supervisor(workspace)
    click.echo("it runs already" if running else "started")


@serve.command()
@workspace_option
def stop(root: Path) -> None:
    """Stop it with all that it runs. Live traffic through the gateway ends with it."""
    from gatewright.engine.runtime import stop_supervisor

    click.echo("stopped" if stop_supervisor(opened(root)) else "nothing ran")


@serve.command()
@workspace_option
def status(root: Path) -> None:
    """Its processes. Exit 4 when it does not run."""
    from gatewright.domain.errors import WorldFailed
    from gatewright.engine.status import processes

    rows = processes(opened(root))
    for row in rows:
        port = f"port {row['port']}" if row["port"] else ""
        click.echo(f"{row['name']:<20} pid {row['pid']:<8} {row['state']:<10} {port:<12} restarts {row['restarts']}")
    if not any(row["name"] == "supervisor" and row["state"] != "gone" for row in rows):
        raise WorldFailed("the supervisor does not run", fix="gatewright serve start")
