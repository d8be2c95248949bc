"""Options that commands share, and the way into the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewright.workspace import Workspace

Output = Literal["text", "json"]


def workspace_folder(what: str) -> Callable[[Any], Any]:
    """The option `-C` for the folder that holds `what`."""
    return click.option(
        "-C",
        "--workspace",
        "root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help=f"The folder that holds {what}.  [default: .]",
    )


workspace_option = workspace_folder("gatewright.yaml")
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
skip_option = click.option("--skip", multiple=True, metavar="GATE", help="Leave a gate out; recorded. May be repeated.")
bootstrap_option = click.option(
    "--bootstrap-by",
    metavar="NAME",
    help="Who allows the first deployment, which has no baseline to compare with.",
)


def actor_option(flag: str, name: str, what: str) -> Callable[[Any], Any]:
    """The option that says who does it; the user's name, which a container may lack, unless told."""
    return click.option(
        flag,
        name,
        envvar=["GATEWRIGHT_ACTOR", "USER", "LOGNAME"],
        default="unknown",
        metavar="NAME",
        help=f"{what}  [default: $GATEWRIGHT_ACTOR, else $USER]",
    )


def opened(root: Path) -> Workspace:
    """The workspace in `root`, with everything in it."""
    from gatewright.workspace import Workspace

    return Workspace.open(root)
