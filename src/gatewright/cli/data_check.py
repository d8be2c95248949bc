"""`gatewright data check`: recorded versions were not touched, and new ones are right. For CI and pre-commit hooks."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import Output, output_option, workspace_folder
from gatewright.cli.output import say, say_json
from gatewright.domain.errors import HistoryChanged


@click.command()
@click.option("--against", metavar="REF", help="Compare with the commit at which this branch left REF.")
@click.option("--staged", is_flag=True, help="Compare what is staged with the last commit: for a pre-commit hook.")
@workspace_folder("data/versions")
@output_option
def check(against: str | None, staged: bool, root: Path, output: Output) -> None:
    """Check that no recorded data version was edited, deleted or renamed, and that every new one is right.

    A new version must parse, lie under its own name, and have its parent beside it. Exit 0 when all is well, 1 with
    every file and what to do.

    \b
    Examples:
      gatewright data check --against origin/main
      gatewright data check --staged
    """
    from gatewright.store.version_history import check_history

    if staged == (against is not None):
        raise BadCommand("say what to compare with: one of --against REF and --staged", fix="--against origin/main")
    found = check_history(root.resolve(), against)
    if output == "json":
        findings = [{"path": each.path, "what": each.what, "fix": each.fix} for each in found.findings]
        say_json({"ok": not findings, "new": found.new, "findings": findings})
    else:
        for path in found.new:
            say(f"new  {path}")
    if found.findings:
        lines = [f"  {each.path}: {each.what}\n    do: {each.fix}" for each in found.findings]
        raise HistoryChanged(
            "data versions are immutable:\n" + "\n".join(lines), fix="mend each file as said, and commit again"
        )
    if output == "text":
        say(f"{len(found.new)} new, no recorded version was touched")
