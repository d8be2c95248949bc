"""`gatewright rollout report`: one rollout as a page."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option
from gatewright.cli.output import say, say_json


@click.command()
@click.option("--file", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the page into this file.")
@click.option("--rollout", "name", metavar="ID", help="Which one.  [default: the newest]")
@workspace_option
@output_option
def report(file: Path | None, name: str | None, root: Path, output: Output) -> None:
    """A page (HTML, no script, nothing from elsewhere) with weights, evidence over time and every event.

    Without --file it goes to standard output. With --output json the numbers of the page.

    \b
    Examples:
      gatewright rollout report --file rollout.html
      gatewright rollout report --rollout employment-2-499074 > rollout.html
    """
    from gatewright.domain.documents import plain
    from gatewright.domain.errors import UnusableInput
    from gatewright.effects.files import write_atomic
    from gatewright.web.rollout_page import rollout_page

    workspace = opened(root)
    model = workspace.project.model
    chosen = workspace.rollouts.active(model) or workspace.rollouts.latest(model)
    found = workspace.rollouts.get(name) if name else chosen
    if found is None:
        fix = "its id stands in: gatewright records" if name else "start one: gatewright run"
        raise UnusableInput(f"there is no rollout {name}" if name else "there is no rollout yet", fix=fix)
    records = [record for record in workspace.records.all() if record.rollout == found.id]
    ticks = workspace.rollouts.ticks(found)
    if file is not None:
        write_atomic(file, rollout_page(found, ticks, records).encode())
    if output == "json":
        events = [{"at": record.at.isoformat(), "kind": record.kind, "why": record.why} for record in records]
        looks = [{key: value for key, value in tick.items() if key != "blocks"} for tick in ticks]
        say_json({"rollout": plain(found), "looks": looks, "events": events, "file": str(file) if file else None})
    elif file is not None:
        say(f"{file}: rollout {found.id}, {found.phase.value.replace('_', ' ')}")
    else:
        say(rollout_page(found, ticks, records).rstrip())
