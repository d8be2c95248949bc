"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from gatewright.workspace import Workspace

Output = Literal["text", "json"]

workspace_option = click.option(
    "-C",
    "--workspace",
    "root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The folder with gatewright.yaml.  [default: .]",
)
output_option = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="text for people, json for programs."
)
run_option = click.option(
    "--run",
    "run_id",
    envvar="GATEWRIGHT_RUN",
    metavar="RUN",
    help="Which run; needed only when several are open.  [env: GATEWRIGHT_RUN]",
)
bootstrap_option = click.option(
    "--bootstrap-by",
    metavar="NAME",
    help="Who allows the first deployment, which has no baseline to compare with.",
)


def opened(root: Path) -> Workspace:
    """The workspace in `root`, with everything in it."""
    from gatewright.workspace import Workspace

    return Workspace.open(root)
