"""`gatewright data diff`: two versions side by side, from their pointer files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.options import OutputOrMarkdown, output_or_markdown_option, workspace_folder
from gatewright.cli.output import say, say_json, table, wrapped
from gatewright.domain.errors import UnusableInput

if TYPE_CHECKING:
    from gatewright.rules.data_diff import DataDifference


@click.command()
@click.argument("before", metavar="A")
@click.argument("now", metavar="B", required=False)
@workspace_folder("data/versions")
@output_or_markdown_option
def diff(before: str, now: str | None, root: Path, output: OutputOrMarkdown) -> None:
    """Compare the versions A and B: rows, columns, types, nulls, label rate, PSI of every column, groups.

    A and B are NAME (its latest version), NAME@VERSION, NAME@ALIAS, or pointer files; the beginning of an id is enough.
    With A alone, A is compared with its parent. Pointer files tell all of it: no byte of the data is read, and what
    cannot be told without is said.

    \b
    Examples:
      gatewright data diff acs-train@2015 acs-train@2016
      gatewright data diff acs-train@production acs-train
      gatewright data diff data/versions/acs-train/2016-12-31-3c8bb6b6.yaml --output markdown
    """
    from gatewright.rules.data_diff import difference
    from gatewright.store.data_versions import DataVersions

    versions = DataVersions(root)
    old, new = versions.named(before), versions.named(now) if now else None
    if new is None:
        if old.parent is None:
            raise UnusableInput(f"{old.name} {old.version} has no parent", fix="name two versions: data diff A B")
        old, new = versions.get(old.name, old.parent), old
    found = difference(old, new, {version.version: version for version in versions.all(new.name)})
    if output == "json":
        from gatewright.domain.documents import plain

        say_json({**_ids(found), **plain(_compared(found))})
    elif output == "markdown":
        from gatewright.web.data_markdown import data_markdown

        say(data_markdown(found).rstrip("\n"))
    else:
        _show(found)


def _ids(found: DataDifference) -> dict[str, Any]:
    return {
        side: {"name": version.name, "version": version.version, "role": version.role, "rows": version.rows}
        for side, version in (("before", found.before), ("now", found.now))
    }


def _compared(found: DataDifference) -> dict[str, Any]:
    return {
        "change": found.change,
        "label_rates": found.label_rates,
        "columns": found.columns,
        "groups": found.groups,
        "untold": found.untold,
    }


def _show(found: DataDifference) -> None:
    from gatewright.web.data_words import counted, group_rows, rate, share, types

    say(f"{found.before.name} {found.before.version} → {found.now.name} {found.now.version}")
    say(wrapped(f"{found.change.kind}: {found.change.why}", first="", rest="  "))
    say("")
    rows = [("rows", *counted(found)), ("label rate", *map(rate, found.label_rates))]
    table(rows, head=("", "BEFORE", "NOW"))
    say("")
    table(
        [
            (
                column.name,
                types(column),
                *map(share, column.nulls),
                f"{column.moved.value:.3f}{' ≈' if column.moved.estimated else ''}" if column.moved else "–",
            )
            for column in found.columns
        ],
        head=("COLUMN", "TYPE", "NULLS BEFORE", "NULLS NOW", "PSI"),
    )
    if groups := group_rows(found):
        say("")
        table(groups, head=("GROUP", "ROWS BEFORE", "ROWS NOW", "RATE BEFORE", "RATE NOW"))
    if found.untold:
        say("\nnot told by the pointer files:")
        for line in found.untold:
            say(wrapped(line, first="  ", rest="    "))
