"""`gatewright report`: a run as a page, in the form that somebody needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from gatewright.cli.options import Output, opened, opened_for_any, output_option, workspace_option
from gatewright.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewright.web.subject import Subject

Format = Literal["text", "markdown", "html", "json", "junit"]
_FORMATS = ("text", "markdown", "html", "json", "junit")


def format_options(default: Format) -> Callable[[Any], Any]:
    """The options `--format` and `--file`."""

    def decorate(command: Any) -> Any:
        file = click.option(
            "--file",
            "file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write it here, whole or not at all, instead of printing it.",
        )
        form = click.option(
            "--format",
            "form",
            type=click.Choice(_FORMATS),
            default=default,
            show_default=True,
            help="text: a table; html: one self-contained page; junit: XML for CI servers.",
        )
        return form(file(command))

    return decorate


@click.command()
@click.argument("run_id", metavar="RUN", required=False)
@format_options("markdown")
@workspace_option
@output_option
def report(run_id: str | None, form: Format, file: Path | None, root: Path, output: Output) -> None:
    """A run as a report: verdict, gates, worst slices, lineage, records. Without RUN, the newest one.

    \b
    Examples:
      gatewright report
      gatewright report RUN --format html --file report.html
      gatewright report RUN --format junit --file gates.xml
      gatewright report --format markdown >> "$GITHUB_STEP_SUMMARY"
      gatewright report RUN --output json      all hand-offs and records: the same as --format json
    """
    from gatewright.domain.documents import plain
    from gatewright.domain.errors import UnusableInput
    from gatewright.store.runs import HANDOFFS
    from gatewright.web.subject import subject_of_run

    workspace = opened(root, run_id) if run_id else opened_for_any(root)
    known = workspace.runs.all()
    if run_id is None and not known:
        raise UnusableInput("there is no run yet", fix="start one: gatewright run")
    run = workspace.runs.get(run_id) if run_id else known[-1]
    handoffs = {name: found for name in HANDOFFS if (found := run.read(name)) is not None}
    records = [record for record in workspace.records.all() if record.run == run.id]
    if output == "json" or form == "json":
        document = {"run": run.id, "handoffs": plain(handoffs), "records": plain(records)}
        deliver(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False), file)
    else:
        deliver(formatted(subject_of_run(run.id, handoffs, records), form), file)


def formatted(subject: Subject, form: Format) -> str:
    """`subject` in a form for people or CI servers; for `json` each command has its own document."""
    match form:
        case "html":
            from gatewright.web.html import html

            return html(subject)
        case "junit":
            from gatewright.web.junit import junit

            return junit(subject)
        case "text":
            from gatewright.cli.verdict_table import verdict_lines

            return "\n".join(verdict_lines(subject))
        case _:
            from gatewright.web.markdown import markdown

            return markdown(subject)


def deliver(text: str, file: Path | None) -> None:
    """Print `text`, or write it to `file` without its colours."""
    if file is None:
        say(text.rstrip("\n"))
        return
    from gatewright.effects.files import write_atomic

    write_atomic(file, (click.unstyle(text).rstrip("\n") + "\n").encode())
