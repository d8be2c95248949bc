"""`gatewright data alias`: names for data versions that people move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import Output, output_option, workspace_folder
from gatewright.cli.output import say, say_json, table


@click.command()
@click.argument("name", required=False)
@click.argument("version", required=False)
@click.argument("alias_name", metavar="ALIAS", required=False)
@click.option("--remove", metavar="ALIAS", help="Forget this alias of NAME.")
@workspace_folder("data/aliases.yaml")
@output_option
def alias(
    name: str | None, version: str | None, alias_name: str | None, remove: str | None, root: Path, output: Output
) -> None:
    """Let ALIAS mean VERSION of NAME, list the aliases, or remove one.

    Aliases live in data/aliases.yaml: commit it. @ALIAS is accepted wherever a version's id is. Moving an alias starts
    no run.

    \b
    Examples:
      gatewright data alias
      gatewright data alias acs-train 2016 production
      gatewright data show acs-train @production
      gatewright data alias acs-train --remove production
    """
    from gatewright.store.data_versions import DataVersions

    versions = DataVersions(root)
    if remove is not None:
        if name is None or version is not None:
            raise BadCommand("--remove takes one alias of NAME", fix="gatewright data alias NAME --remove ALIAS")
        meant = versions.aliases.remove(name, remove)
        _told(output, f"{name} @{remove} meant {meant}; it is gone", {"name": name, "alias": remove, "version": None})
    elif version is not None:
        if name is None or alias_name is None:
            raise BadCommand("an alias needs a name", fix="gatewright data alias NAME VERSION ALIAS")
        found = versions.get(name, version)
        versions.aliases.put(name, alias_name, found.version)
        told = {"name": name, "alias": alias_name, "version": found.version}
        _told(output, f"{name} @{alias_name} is {found.version}\nCommit it: git add data/aliases.yaml", told)
    else:
        known = {each: dict(aliases) for each, aliases in versions.aliases.all().items() if name in (None, each)}
        rows = [(each, f"@{short}", id_) for each, aliases in known.items() for short, id_ in aliases.items()]
        if output == "json":
            say_json(known)
        elif rows:
            table(rows, head=("NAME", "ALIAS", "VERSION"))
        else:
            say("no aliases yet: gatewright data alias NAME VERSION ALIAS")


def _told(output: Output, text: str, document: Mapping[str, str | None]) -> None:
    if output == "json":
        say_json(document)
    else:
        say(text)
