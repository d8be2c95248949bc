"""`gatewright report`: a run as a page."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.options import Output, opened, opened_for_any, output_option, workspace_option
from gatewright.cli.output import say, say_json


@click.command()
@click.argument("run_id", metavar="RUN", required=False)
@workspace_option
@output_option
def report(run_id: str | None, root: Path, output: Output) -> None:
    """A run as Markdown: the verdict, the gates, the worst slices, the records. Without RUN, the newest one.

    \b
    Examples:
      gatewright report
      gatewright report RUN > report.md
      gatewright report RUN --output json      all hand-offs and records in one document
    """
    from gatewright.domain.documents import plain
    from gatewright.domain.errors import UnusableInput
    from gatewright.store.runs import HANDOFFS
    from gatewright.web.markdown import run_markdown

    workspace = opened(root, run_id) if run_id else opened_for_any(root)
    known = workspace.runs.all()
    if run_id is None and not known:
        raise UnusableInput("there is no run yet", fix="start one: gatewright run")
    run = workspace.runs.get(run_id) if run_id else known[-1]
    handoffs = {name: found for name in HANDOFFS if (found := run.read(name)) is not None}
    records = [record for record in workspace.records.all() if record.run == run.id]
    if output == "json":
        say_json({"run": run.id, "handoffs": plain(handoffs), "records": plain(records)})
    else:
        say(run_markdown(run.id, handoffs, records).rstrip("\n"))
