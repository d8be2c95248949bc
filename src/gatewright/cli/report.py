"""`gatewright report`: a run as a page."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.options import opened, workspace_option


@click.command()
@click.argument("run_id", metavar="RUN", required=False)
@workspace_option
def report(run_id: str | None, root: Path) -> None:
    """A run as Markdown: the verdict, the gates, the worst slices, the records. Without RUN, the newest one.

    \b
    Examples:
      gatewright report
      gatewright report RUN > report.md
    """
    from gatewright.domain.errors import UnusableInput
    from gatewright.store.runs import HANDOFFS
    from gatewright.web.markdown import run_markdown

    workspace = opened(root)
    known = workspace.runs.all()
    if run_id is None and not known:
        raise UnusableInput("there is no run yet", fix="start one: gatewright run")
    run = workspace.runs.get(run_id) if run_id else known[-1]
    handoffs = {name: found for name in HANDOFFS if (found := run.read(name)) is not None}
    records = [record for record in workspace.records.all() if record.run == run.id]
    click.echo(run_markdown(run.id, handoffs, records), nl=False)
