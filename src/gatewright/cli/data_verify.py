"""`gatewright data verify`: are the bytes still those that were recorded?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli.data_sources import source_of, summary
from gatewright.cli.options import Output, output_option, workspace_folder
from gatewright.cli.output import say, say_json

if TYPE_CHECKING:
    from gatewright.domain.errors import Problem
    from gatewright.domain.lineage import DataFile, DataVersion
    from gatewright.ports import DataSource


@click.command()
@click.argument("name", required=False)
@click.argument("version", required=False)
@click.option(
    "--bytes",
    "--no-cache",
    "every_byte",
    is_flag=True,
    help="Read every byte, whatever pins, sizes and times say.",
)
@workspace_folder("data/versions; paths of data are below it")
@output_option
def verify(name: str | None, version: str | None, every_byte: bool, root: Path, output: Output) -> None:
    """Compare the bytes with what VERSION, every version of NAME, or every version at all records.

    Files whose size, times and inode are those of the last look are not read again, and of a source elsewhere only its
    pin and sizes are asked; its bytes are read where these say that something changed. Exit 0 when all is as recorded,
    2 with every difference when not.

    \b
    Examples:
      gatewright data verify
      gatewright data verify --bytes
      gatewright data verify acs-train 2026-06
    """
    from gatewright.cli.render import progress_for
    from gatewright.domain.errors import DataError
    from gatewright.engine.intake import differences
    from gatewright.engine.verifying import Verification
    from gatewright.store.data_versions import DataVersions

    proof = Verification(root)
    versions = DataVersions(root)
    chosen = (versions.get(name, version),) if name and version else versions.all(name)
    told = progress_for(output)
    sources = {kind: source_of(kind, root, read_again=every_byte, progress=told) for kind in {v.kind for v in chosen}}
    found: list[Problem] = []
    results = []
    proof.begin(chosen)
    for each in chosen:
        files, how = _present(each, sources[each.kind], every_byte)
        problems = differences(each, files, versions.path(each).relative_to(root))
        found.extend(problems)
        results.append(
            {**summary(each), "verified": not problems, "by": how, "problems": [str(item) for item in problems]}
        )
        if not problems and how == "bytes":
            proof.add(each, results[-1])
        if output == "text":
            by = " (by its pin and sizes; --bytes reads it)" if how == "pin" else ""
            say(f"{'changed ' if problems else 'verified'}  {each.name} {each.version}{by}")
    if name is None:
        proof.keep()
    if output == "json":
        say_json(results)
    if found:
        fix = "restore the recorded bytes, or add the changed data as a new version: gatewright data add"
        raise DataError("data is not as recorded", tuple(found), fix=fix)


def _present(version: DataVersion, source: DataSource, every_byte: bool) -> tuple[tuple[DataFile, ...], str]:
    """The files as they are now, and what tells it: `bytes`, or `pin` when that alone says that nothing changed."""
    from gatewright.domain.errors import DataError
    from gatewright.ports import PinnedSource

    if isinstance(source, PinnedSource):
        if not every_byte and source.doubt(version) is None:
            return version.files, "pin"
        return source.digests(version), "bytes"
    try:
        return source.current(version.uri), "bytes"
    except DataError:  # nothing there at all: each recorded file is then told as missing
        return (), "bytes"
