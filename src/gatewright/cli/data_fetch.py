"""`gatewright data fetch` and `data cache`: bytes from elsewhere, here."""

from __future__ import annotations

import re
from pathlib import Path

import click

from gatewright.cli.data_sources import source_of, summary
from gatewright.cli.failures import BadCommand
from gatewright.cli.options import Output, output_option, workspace_folder
from gatewright.cli.output import say, say_json

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@click.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to lay the files in, below the workspace.  [default: .gatewright/data/NAME/VERSION]",
)
@workspace_folder("data/versions; paths of data are below it")
@output_option
def fetch(name: str, version: str | None, into: Path | None, root: Path, output: Output) -> None:
    """Bring the bytes of VERSION (or of the latest one) of NAME here, each file proved by size and sha256.

    What is in .gatewright/data-cache is not asked for again: after an interruption the same command goes on with the
    files that are missing.

    \b
    Examples:
      gatewright data fetch acs-train
      gatewright data fetch acs-train 2026-06 --into data/acs
    """
    from gatewright.cli.render import progress_for
    from gatewright.effects.files import safe_join
    from gatewright.store.data_versions import DataVersions

    versions = DataVersions(root)
    found = versions.get(name, version) if version else versions.all(name)[-1]
    target = safe_join(root, str(into or Path(".gatewright") / "data" / found.name / found.version))
    path = source_of(found.kind, root, progress=progress_for(output)).read(found, target)
    size = sum(file.size for file in found.files)
    if output == "json":
        say_json({**summary(found), "path": str(path), "files": len(found.files), "size": size})
    else:
        say(f"{found.name} {found.version}: {len(found.files)} files, {size:,} bytes, each as recorded\n{path}")


def _size(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?B)?", text.strip(), re.IGNORECASE)
    unit = (found[2] or "").upper() if found else ""
    if found is None or unit not in _UNITS:
        raise click.BadParameter(f"{text!r} is no size: write 20GB, 500MB or a number of bytes")
    return int(float(found[1]) * _UNITS[unit])


@click.command()
@click.option("--prune", is_flag=True, help="Remove what was used least lately, until the rest fits into --limit.")
@click.option("--limit", default="0", callback=_size, help="How much may stay, such as 20GB.  [default: nothing]")
@workspace_folder(".gatewright/data-cache")
@output_option
def cache(prune: bool, limit: int, root: Path, output: Output) -> None:
    """Show how much .gatewright/data-cache holds, or remove some of it.

    Nothing is removed by itself: where a source keeps no old versions, these may be the last bytes of one.

    \b
    Examples:
      gatewright data cache
      gatewright data cache --prune --limit 20GB
    """
    from gatewright.effects.digest_cache import DigestCache
    from gatewright.store.data_cache import DataCache

    if limit and not prune:
        raise BadCommand("--limit says how much --prune leaves", fix="gatewright data cache --prune --limit 20GB")
    store = DataCache(root, DigestCache(root / ".gatewright" / "digests.json"))
    removed = store.prune(limit) if prune else None
    usage = store.usage()
    if output == "json":
        gone = {"files": removed.files, "bytes": removed.size} if removed else None
        say_json({"files": usage.files, "bytes": usage.size, "removed": gone})
        return
    if removed:
        say(f"removed {removed.files} files, {removed.size:,} bytes")
    say(f"{usage.files} files, {usage.size:,} bytes in .gatewright/data-cache")
