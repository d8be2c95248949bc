"""`gatewright card`: the model card of a registered version."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option
from gatewright.cli.output import say_json


@click.command()
@click.argument("number", metavar="VERSION", type=click.IntRange(min=1))
@click.option(
    "--format", "form", type=click.Choice(["markdown", "html"]), default="markdown", show_default=True,
    help="html: one self-contained page without scripts.",
)  # fmt: skip
@click.option(
    "--file", "file", type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here, whole or not at all, instead of printing it.",
)  # fmt: skip
@workspace_option
@output_option
def card(number: int, form: Literal["markdown", "html"], file: Path | None, root: Path, output: Output) -> None:
    """The model card of a version: intended use from the section `card`, data, metrics by slice, fairness, gates.

    Stage register writes the same into the run's folder, with the section as it was then.

    \b
    Examples:
      gatewright card 3
      gatewright card 3 --format html --file model-card.html
      gatewright card 3 --output json
    """
    from gatewright.cli.report import deliver
    from gatewright.domain.documents import plain
    from gatewright.domain.errors import UnusableInput
    from gatewright.engine.cards import facts_of
    from gatewright.rules.model_card import card_of, markdown, page

    workspace = opened(root)
    version = workspace.registry.numbered(workspace.project.model, number)
    if version is None:
        raise UnusableInput(
            f"{workspace.project.model} has no version {number}", fix="gatewright status shows the versions"
        )
    facts = facts_of(workspace, workspace.runs.get(version.run), version)
    if output == "json":
        title, parts = card_of(facts)
        say_json({"title": title, "parts": plain(parts)})
    else:
        deliver(page(facts) if form == "html" else markdown(facts), file)
