"""`gatewright status`: what was recorded, and what is observed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option


@click.command()
@workspace_option
@output_option
def status(root: Path, output: Output) -> None:
    """What serves production, the rollout in progress, open runs and processes.

    "recorded" is what the state database says, "observed" what was read back from the gateway just now. Works with
    the gateway down.

    \b
    Examples:
      gatewright status
      gatewright status --output json
    """
    from gatewright.engine.status import view

    found = view(opened(root))
    if output == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    serving = found["serving"]
    click.echo(f"model      {found['model']}")
    click.echo(
        f"serving    {'version ' + str(serving['number']) + ' ' + serving['digest'] if serving else 'nothing yet'}"
    )
    traffic = found["traffic"]
    click.echo(f"traffic    recorded {_shares(traffic['recorded'])}")
    click.echo(f"           observed {traffic['error'] or _shares(traffic['observed'])}")
    show_rollout(found["rollout"])
    for run in found["open_runs"]:
        click.echo(f"open run   {run}")
    for row in found["processes"]:
        error = f"  {row['error']}" if row["error"] else ""
        click.echo(f"process    {row['name']:<20} pid {row['pid']:<8} {row['state']}{error}")
    for pid in found["orphans"]:
        click.echo(click.style(f"orphan     pid {pid}", fg="yellow"))


def show_rollout(rollout: dict[str, Any] | None) -> None:
    """A rollout in words: phase, weight recorded and observed, hold, evidence against its limits."""
    if rollout is None:
        click.echo("rollout    none")
        return
    observed = "unknown" if rollout["observed"] is None else f"{rollout['observed']:g} %"
    click.echo(
        f"rollout    {rollout['id']}  {rollout['phase']}  step {rollout['step'] + 1} of {rollout['steps']}  "
        f"recorded {rollout['weight']:g} %  observed {observed}"
    )
    click.echo(f"           {rollout['why']}")
    for standing in rollout["standings"]:
        click.echo(
            f"           {standing['metric']:<8} canary {standing['canary_share']:.2%}  stable "
            f"{standing['stable_share']:.2%}  rollback e {standing['e_rollback']:.3g} of "
            f"{standing['rollback_limit']:.0f}  promote e {standing['e_promote']:.3g} of {standing['promote_limit']:.0f}"
        )


def _shares(shares: dict[str, float] | None) -> str:
    return ", ".join(f"{name} {share:g} %" for name, share in shares.items()) if shares else "nothing"
