"""`gatewright records`: the hash-chained deployment records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli.failures import CommandGroup
from gatewright.cli.options import Output, chosen_model, opened_for_any, output_option, workspace_option
from gatewright.cli.output import say, say_json, table

if TYPE_CHECKING:
    from gatewright.domain.records import DeploymentRecord

_COLOURS = {
    "promoted": "green",
    "confirmed": "green",
    "restored": "green",
    "rolled_back": "red",
    "stopped": "red",
    "aborted": "yellow",
}


@click.group(cls=CommandGroup, invoke_without_command=True)
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
        context.default_map = {context.invoked_subcommand: {"root": root, "output": output}}
        return
    from gatewright.domain.documents import plain

    found = [record for record in opened_for_any(root).records.all() if chosen_model() in (None, record.model)]
    if output == "json":
        say_json([plain(record) for record in found])
    elif not found:
        say("no record yet: gatewright run")
    else:
        table([_cells(record) for record in found], head=("SEQ", "UTC", "WHAT", "MODEL BEFORE → AFTER", "BY", "WHY"))


@records.command()
@click.option("--head", metavar="DIGEST", help="The digest of a record, kept elsewhere: it must still be in the chain.")
@workspace_option
@output_option
def verify(head: str | None, root: Path, output: Output) -> None:
    """Recompute the whole chain; exit 2 and name the first record that does not fit.

    The chain alone cannot show that records were cut off its end, or that all of it was written anew. Keep the head
    that this command prints in another place, and give it back with --head.

    \b
    Examples:
      gatewright records verify
      gatewright records verify --head sha256:4f0c…
      gatewright records verify --output json
    """
    from gatewright.domain.errors import UnusableInput

    store = opened_for_any(root).records
    broken = store.first_broken(head)
    if broken is not None:
        raise UnusableInput(
            f"record {broken[0]} is broken: {broken[1]}", fix="compare with deployment-record.json of that run"
        )
    chain = store.all()
    last = chain[-1].digest if chain else None
    if output == "json":
        say_json({"records": len(chain), "head": last, "verified": True})
    else:
        say(f"{len(chain)} records verified, head {last}" if chain else "no record yet: nothing to verify")


def _cells(record: DeploymentRecord) -> tuple[str, ...]:
    from gatewright.domain.documents import short

    what = click.style(record.kind, fg=_COLOURS.get(record.kind))
    move = f"{short(record.before or '-')} → {short(record.after or '-')}" if record.rollout else ""
    return str(record.seq), f"{record.at:%Y-%m-%d %H:%M:%S}", what, move, record.actor, record.why
