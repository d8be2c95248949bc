"""`gatewright data infer-schema`: a schema file to begin with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gatewright.cli.data_sources import source_of
from gatewright.cli.options import Output, output_option, workspace_folder
from gatewright.cli.output import say, say_json


@click.command(name="infer-schema")
@click.argument("data", metavar="NAME|PATH")
@click.option("--file", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it into this file.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@workspace_folder("data/versions; paths of data are below it")
@output_option
def infer_schema(data: str, file: Path | None, force: bool, root: Path, output: Output) -> None:
    """Suggest a schema file for a data set (its latest version; NAME@VERSION for another), or for the files at PATH.

    Types, columns that may be empty, values where they are few, ids, and by their names columns that may be sensitive
    or personal. All of it is a suggestion to review; the smallest and largest value seen stand in comments only.

    \b
    Examples:
      gatewright data infer-schema acs-train
      gatewright data infer-schema data/acs/2015.parquet --file data/schema.yaml
    """
    from gatewright.domain.errors import UnusableInput
    from gatewright.effects.files import safe_join, write_atomic
    from gatewright.effects.tables import reading, scan
    from gatewright.rules.schema_guesses import guess, schema_text

    target = safe_join(root, str(file)) if file else None
    if target is not None and target.exists() and not force:
        raise UnusableInput(f"{file} is there already", fix="name another file, or add --force to write over it")
    with _laid(data, root) as path, reading(path):
        rows, guesses = guess(scan(path).frame)
    text = schema_text(rows, guesses, data)
    if target is not None:
        write_atomic(target, text.encode())
    if output == "json":
        say_json({"file": str(file) if file else None, "rows": rows, "columns": len(guesses), "schema": text})
    elif file is not None:
        say(f"{file}: {len(guesses)} columns from {rows:,} rows; review it before you commit it")
    else:
        say(text.rstrip("\n"))


@contextmanager
def _laid(data: str, root: Path) -> Iterator[Path]:
    """Where the table is: at a path below the workspace, or the bytes of a data set, laid for as long as needed."""
    from gatewright.effects.files import safe_join
    from gatewright.store.data_versions import DataVersions

    name = data.partition("@")[0]
    versions = DataVersions(root)
    if "/" in name or not versions.has(name):
        place = safe_join(root, data)
        if place.exists():
            yield place
            return
    found = versions.named(data)
    folder = root / ".gatewright"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="data-infer-", dir=folder) as laid:
        yield source_of(found.kind, root).read(found, Path(laid))
