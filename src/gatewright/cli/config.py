"""`gatewright config`: check gatewright.yaml, print JSON Schemas."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.failures import CommandGroup
from gatewright.cli.options import Output, output_option, workspace_option
from gatewright.cli.output import say, say_json


@click.group(cls=CommandGroup)
def config() -> None:
    """The configuration.

    \b
    Examples:
      gatewright config check
      gatewright config schema > gatewright.schema.json
    """


@config.command()
@workspace_option
@output_option
def check(root: Path, output: Output) -> None:
    """Tell every problem of gatewright.yaml at once, each with file:line:column. Exit 0 or 2.

    \b
    Examples:
      gatewright config check
      gatewright config check --output json
    """
    from gatewright.config.project import read_configuration
    from gatewright.domain.documents import plain, short
    from gatewright.workspace import CONFIG, Plugins

    found = read_configuration(root / CONFIG, Plugins())
    if output == "json":
        say_json({"digests": plain(found.digests), "projects": plain(found.projects)})
    else:
        models = ", ".join(f"model {name}, digest {short(digest)}" for name, digest in found.digests.items())
        say(f"{root / CONFIG}: fine ({models})")


@config.command()
@click.option(
    "--of",
    "what",
    type=click.Choice(["configuration", "verdict"]),
    default="configuration",
    show_default=True,
    help="gatewright.yaml, or the verdict.json that the gates of a run leave.",
)
def schema(what: str) -> None:
    """The JSON Schema of gatewright.yaml, for editors; or that of verdict.json, for programs that read it.

    \b
    Examples:
      gatewright config schema > gatewright.schema.json
      gatewright config schema --of verdict > verdict.schema.json
    """
    from gatewright.config.schema import json_schema
    from gatewright.store.verdicts import verdict_schema
    from gatewright.workspace import Plugins

    say_json(verdict_schema() if what == "verdict" else json_schema(Plugins()))
