"""`gatewright data`: versions of data sets. Needs only a folder, no gatewright.yaml."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.data_alias import alias
from gatewright.cli.data_check import check
from gatewright.cli.data_diff import diff
from gatewright.cli.data_fetch import cache, fetch
from gatewright.cli.data_infer import infer_schema
from gatewright.cli.data_sources import source_of, summary
from gatewright.cli.data_validate import validate
from gatewright.cli.data_verify import verify
from gatewright.cli.data_watch import claims, watch
from gatewright.cli.failures import CommandGroup
from gatewright.cli.options import Output, actor_option, output_option, workspace_folder
from gatewright.cli.output import say, say_json, table

if TYPE_CHECKING:
    from gatewright.domain.lineage import DataVersion, Role
    from gatewright.store.data_versions import DataVersions

_ROLES = ("train", "eval", "holdout", "reference", "traffic")
_SCHEMA = Path("data/schema.yaml")

workspace_option = workspace_folder("data/versions; paths of data are below it")


@click.group(name="data", cls=CommandGroup)
def data() -> None:
    """Versions of data sets: small files in git that point to bytes and prove them.

    \b
    Examples:
      gatewright data add acs-train data/acs --file 2015.parquet --label employed
      gatewright data add acs-eval data/acs/eval.parquet --role eval --data-to 2026-06-30
      gatewright data list
      gatewright data verify
      gatewright data fetch acs-train
      gatewright data diff acs-train@2015 acs-train@2016
      gatewright data validate acs-train
      gatewright data check --against origin/main
      gatewright data watch --once
    """


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time: write 2026-06-30 or 2026-06-30T12:00:00Z") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _pairs(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or key in pairs:
            raise click.BadParameter(f"{text!r}: write KEY=VALUE, each key once")
        pairs[key] = value
    return pairs


@data.command()
@click.argument("name")
@click.argument("uri")
@click.option("--kind", help="file, fileset, fsspec, dvc, delta or a plugin's.  [default: what URI looks like]")
@click.option("--role", type=click.Choice(_ROLES), default="train", show_default=True, help="What the data is for.")
@click.option("--file", "names", multiple=True, help="Only this file below URI; may be given several times.")
@click.option("--label", help="The column with the true labels.")
@click.option("--data-from", callback=_moment, help="First moment the rows speak of.  [default: --data-to]")
@click.option("--data-to", callback=_moment, help="Last moment the rows speak of; age counts from it.  [default: now]")
@click.option("--lineage", multiple=True, callback=_pairs, metavar="KEY=VALUE", help="Where the data came from.")
@click.option(
    "--schema",
    type=click.Path(path_type=Path),
    help="Schema file below the workspace: it marks sensitive and personal columns.  [default: data/schema.yaml]",
)
@actor_option("--created-by", "created_by", "Who adds it.")
@workspace_option
@output_option
def add(
    name: str,
    uri: str,
    kind: str | None,
    role: Role,
    names: tuple[str, ...],
    schema: Path | None,
    root: Path,
    output: Output,
    **told: Any,
) -> None:
    """Describe the bytes at URI as a new version of the data set NAME.

    URI is a path below the workspace (a file, a folder, a .dvc file, a folder with a Delta table) or a URL. The bytes
    stay where they are; those behind a URL are read once and kept in .gatewright/data-cache. A pointer file is written
    to data/versions/NAME/. Commit it: that is the data change that starts a pipeline. The same bytes change nothing.

    \b
    Examples:
      gatewright data add acs-train data/acs --file 2015.parquet --file 2016.parquet
      gatewright data add acs-eval data/acs/eval.parquet --role eval --label employed
      gatewright data add acs-train s3://bucket/acs/ --label employed
      gatewright data add acs-train data/acs.dvc
    """
    from gatewright.cli.render import progress_for
    from gatewright.engine.data_kinds import kind_of
    from gatewright.engine.intake import Addition, add_version
    from gatewright.store.data_versions import DataVersions
    from gatewright.store.schema_files import read_schema

    kind = kind or kind_of(root, uri, names)
    schema_path = root / (schema or _SCHEMA)
    versions = DataVersions(root)
    addition = Addition(name=name, kind=kind, uri=uri, role=role, names=names, **told)
    version, new = add_version(
        addition,
        source=source_of(kind, root, progress=progress_for(output)),
        versions=versions,
        schema=read_schema(schema_path) if schema or schema_path.is_file() else None,
        scratch=root / ".gatewright",
        now=datetime.now(UTC).replace(microsecond=0),
    )
    path = versions.path(version).relative_to(root)
    if output == "json":
        say_json({"new": new, "path": str(path), **summary(version)})
    elif new:
        say(f"{path}\n{_change(version)}\nCommit it: git add {path}")
    else:
        say(f"{path}\nthe same bytes: nothing changed")


@data.command(name="list")
@click.argument("name", required=False)
@workspace_option
@output_option
def list_(name: str | None, root: Path, output: Output) -> None:
    """List the versions of NAME, or of every data set, oldest first.

    \b
    Examples:
      gatewright data list
      gatewright data list acs-train --output json
    """
    from gatewright.store.data_versions import DataVersions

    versions = DataVersions(root).all(name)
    if output == "json":
        say_json([summary(version) for version in versions])
    elif not versions:
        say("no data versions yet: gatewright data add NAME PATH")
    else:
        head = ("NAME", "VERSION", "ROLE", "ROWS", "DATA TO", "CHANGE")
        table([_cells(version) for version in versions], head=head)


@data.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option("--role", type=click.Choice(_ROLES), help="The latest version of this role.  [default: of any role]")
@workspace_option
@output_option
def show(name: str, version: str | None, role: Role | None, root: Path, output: Output) -> None:
    """Show one version: VERSION (the beginning of its id is enough if unique), or else the latest one.

    \b
    Examples:
      gatewright data show acs-train
      gatewright data show acs-eval 2026-06 --output json
    """
    from gatewright.domain.documents import plain
    from gatewright.store.data_versions import DataVersions

    versions = DataVersions(root)
    found = versions.get(name, version) if version else _latest(versions, name, role)
    if output == "json":
        say_json(plain(found))
        return
    source = f"{found.kind} {found.uri}" + (f" @ {found.pin}" if found.pin else "")
    facts = [
        ("version", f"{found.name} {found.version}"),
        ("role", found.role),
        ("source", source),
        ("digest", found.digest),
        ("rows", f"{found.rows:,}"),
        ("columns", f"{len(found.schema)} (fingerprint {found.fingerprint[7:19]})"),
        ("label", _label(found)),
        ("speaks of", f"{found.data_from.isoformat()} to {found.data_to.isoformat()}"),
        ("change", _change(found)),
        ("lineage", ", ".join(f"{key}={value}" for key, value in found.lineage.items()) or "none"),
        ("created", f"{found.created_at.isoformat()} by {found.created_by}"),
        *(("file", f"{file.path}  {file.size:,} bytes  sha256:{file.sha256[:12]}") for file in found.files),
    ]
    table(facts)


for command in (validate, verify, fetch, cache, infer_schema, diff, check, alias, watch, claims):
    data.add_command(command)


def _latest(versions: DataVersions, name: str, role: Role | None) -> DataVersion:
    return versions.latest(name, role) if role else versions.all(name)[-1]


def _cells(version: DataVersion) -> tuple[str, ...]:
    kind = str(version.change.get("kind", ""))
    return version.name, version.version, version.role, f"{version.rows:,}", f"{version.data_to:%Y-%m-%d}", kind


def _change(version: DataVersion) -> str:
    kind, why = version.change.get("kind"), version.change.get("why")
    if version.parent is None:
        return f"first version of {version.name} as {version.role} data: {version.rows:,} rows"
    counts = [
        f", {version.change[key]:,} rows {word}"
        for key, word in (("rows_added", "added"), ("rows_removed", "removed"))
        if version.change.get(key)
    ]
    told = f"{kind} against {version.parent}: {version.rows:,} rows{''.join(counts)}"
    return f"{told} ({why})" if why else told


def _label(version: DataVersion) -> str:
    rate = version.stats.get("label", {}).get("rate")
    return (version.labels or "not told") + (f" (rate {rate:.4f})" if rate is not None else "")
