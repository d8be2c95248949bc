"""`gatewright records`: the hash-chained deployment records."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option


@click.group(invoke_without_command=True)
@workspace_option
@output_option
@click.pass_context
def records(context: click.Context, root: Path, output: Output) -> None:
    """Everything that was deployed, rolled back, stopped or given up, oldest first.

    \b
    Examples:
      gatewright records
      gatewright records --output json
      gatewright records verify
    """
    if context.invoked_subcommand is not None:
        return
    from gatewright.domain.documents import plain, short

    found = opened(root).records.all()
    if output == "json":
        click.echo(json.dumps([plain(record) for record in found], indent=2, ensure_ascii=False))
        return
    for record in found:
        move = f"{short(record.before or '-')} → {short(record.after or '-')}" if record.rollout else ""
        why = record.why.partition("\n")[0]
        click.echo(f"{record.seq:>4}  {record.at:%Y-%m-%d %H:%M:%S}  {record.kind:<12} {move:<28} {why}")
    if not found:
        click.echo("no record yet")


@records.command()
@workspace_option
@output_option
def verify(root: Path, output: Output) -> None:
    """Recompute the whole chain; exit 2 and name the first record that does not fit."""
    from gatewright.domain.errors import UnusableInput

    store = opened(root).records
    broken = store.first_broken()
    if broken is not None:
        raise UnusableInput(
            f"record {broken[0]} is broken: {broken[1]}", fix="compare with deployment-record.json of that run"
        )
    chain = store.all()
    head = chain[-1].digest if chain else None
    if output == "json":
        click.echo(json.dumps({"records": len(chain), "head": head, "verified": True}))
    else:
        click.echo(f"{len(chain)} records verified, head {head}")
