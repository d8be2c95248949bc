"""`gatewright sign`: the signature of a registered version."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option
from gatewright.cli.output import say, say_json


@click.command()
@click.argument("number", metavar="VERSION", type=click.IntRange(min=1))
@click.option("--check", is_flag=True, help="Only check the signature that it has.")
@workspace_option
@output_option
def sign(number: int, check: bool, root: Path, output: Output) -> None:
    """Sign a registered version with the local key of `signing`; one that is signed already is only checked.

    Stage register does it by itself where the configuration has a section `signing`. Every file of the model counts,
    dot files and `.git` included. Exit 2 when the signature does not hold.

    \b
    Examples:
      GATEWRIGHT_SIGNING_KEY=~/keys/model.pem gatewright sign 3
      gatewright sign 3 --check
      gatewright sign 3 --check --output json
    """
    from gatewright.domain.errors import UnusableInput
    from gatewright.engine.keeping import keep_signature
    from gatewright.engine.signing import check_version, signature_path

    workspace = opened(root)
    if workspace.project.signing is None:
        raise UnusableInput("gatewright.yaml has no section signing", fix="signing: {public_key: keys/model.pub}")
    version = workspace.registry.numbered(workspace.project.model, number)
    if version is None:
        raise UnusableInput(
            f"{workspace.project.model} has no version {number}", fix="gatewright status shows the versions"
        )
    if check:
        check_version(workspace, version)
    else:
        keep_signature(workspace, version)
    path = signature_path(workspace.root, version.model, version.artifact.digest).relative_to(workspace.root)
    if output == "json":
        say_json({"version": number, "digest": version.artifact.digest, "signature": str(path), "holds": True})
    else:
        say(f"version {number} of {version.model}: the signature holds ({path})")
