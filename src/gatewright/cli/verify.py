"""`gatewright verify`: the chain of proof of one deployment, from its data to its traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option
from gatewright.cli.output import say, say_json, wrapped

if TYPE_CHECKING:
    from gatewright.engine.provenance.chain import Chain, Link

_MARKS = {"proven": ("✓", "green"), "broken": ("✗", "red"), "unproven": ("?", "yellow")}
_EXIT = {"proven": 0, "broken": 1, "unproven": 3}


@click.command()
@click.argument("deployment", metavar="DEPLOYMENT")
@workspace_option
@output_option
@click.pass_context
def verify(context: click.Context, deployment: str, root: Path, output: Output) -> None:
    """Prove which data, code, report and approval put which bytes into production, offline where all is here.

    DEPLOYMENT is the id of a rollout, the number of a version, or record:SEQ. Every link is proven anew from the run's
    folder, the registry, the records and git. Model, signature and statements that this machine lacks are fetched from
    the registry, and proven; a registry that does not answer leaves its link unproven. Exit 0 when all links hold, 1
    when one is broken (the first one is named), 3 when none is broken and one cannot be proven here, 2 for a deployment
    that nobody knows.

    \b
    Examples:
      gatewright verify 3
      gatewright verify employment-3-a1b2c3
      gatewright verify record:17 --output json
    """
    from gatewright.engine.provenance.chain import walk
    from gatewright.engine.provenance.deployment import find_deployment

    chain = walk(find_deployment(opened(root), deployment))
    if output == "json":
        say_json(_document(chain))
    else:
        _picture(chain)
    context.exit(_EXIT[chain.state])


def _document(chain: Chain) -> dict[str, object]:
    from gatewright.domain.documents import plain

    broken = chain.first_broken
    return {
        "deployment": chain.deployment,
        "state": chain.state,
        "first_broken": broken.name if broken else None,
        "links": plain(chain.links),
    }


def _picture(chain: Chain) -> None:
    """The chain from top to bottom, a mark at each link, and one line that says how it stands."""
    width = max(len(link.name) for link in chain.links)
    for number, link in enumerate(chain.links):
        if number:
            say("  │" if link.state != "broken" else "  ╎")
        mark, colour = _MARKS[link.state]
        first = f"  {mark} {link.name.ljust(width)}  "
        text = wrapped(" ".join(link.told.split()), first=first, rest="  │".ljust(len(first)))
        head, _, rest = text.partition(mark)
        say(head + click.style(mark, fg=colour) + rest)
    say("")
    say(_summary(chain))


def _summary(chain: Chain) -> str:
    broken: Link | None = chain.first_broken
    if broken is not None:
        return f"{chain.deployment}: BROKEN at {broken.name}"
    unproven = [link.name for link in chain.links if link.state == "unproven"]
    if unproven:
        return f"{chain.deployment}: nothing is broken; not proven here: {', '.join(unproven)}"
    return f"{chain.deployment}: all {len(chain.links)} links hold"
