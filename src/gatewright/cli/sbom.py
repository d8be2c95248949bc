"""`gatewright sbom`: the bill of materials of a run's training, or of Gatewright itself."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gatewright.cli.options import Output, output_option, workspace_folder


@click.command()
@click.option("--run", "run_id", metavar="RUN", help="The environment that trained the model of this run.")
@click.option(
    "--file", "file", type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here, whole or not at all, instead of printing it.",
)  # fmt: skip
@workspace_folder("gatewright.yaml")
@output_option
def sbom(run_id: str | None, file: Path | None, root: Path, output: Output) -> None:
    """A bill of materials as CycloneDX 1.6 JSON: of Gatewright as it is installed here, or of a run's training.

    The hash of a component is that of its RECORD, the list of the hashes of all its files; where a lock pins it, the
    hashes of its archives stand beside. The same environment gives the same bytes.

    \b
    Examples:
      gatewright sbom
      gatewright sbom --run 20260314-092653-5897
      gatewright sbom --file gatewright.cdx.json --output json
    """
    from gatewright.cli.report import deliver

    deliver(_of_run(root, run_id) if run_id else _of_release(), file)


def _of_run(root: Path, run_id: str) -> str:
    from gatewright.domain.documents import sha256
    from gatewright.domain.errors import DigestChanged
    from gatewright.effects.files import read_bytes
    from gatewright.store.runs import Runs

    run = Runs(root / ".gatewright" / "runs").get(run_id)
    content = read_bytes(run.path / "sbom.cdx.json", 64 << 20)
    recorded = run.need("candidate", "train").outputs.get("sbom", "none")
    if sha256(content) != recorded:
        raise DigestChanged(f"sbom.cdx.json of run {run_id}", recorded=recorded, found=sha256(content))
    return content.decode()


def _of_release() -> str:
    from gatewright import __version__
    from gatewright.effects.environment import installed_with
    from gatewright.rules.bill_of_materials import Component, of_release

    components = [Component(**each) for each in installed_with("gatewright")]
    bill = of_release(components, name="gatewright", version=__version__, at=None)
    return json.dumps(bill, indent=2, ensure_ascii=False)
