"""Where rows to label come from: the prediction log, a data version of role traffic, or a table in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.domain.errors import UnusableInput
from gatewright.domain.labelling import DESIGN_COLUMNS
from gatewright.effects.files import digest_file, safe_join
from gatewright.effects.standing import FORMATS
from gatewright.effects.tables import reading, scan
from gatewright.engine.proofs import laid_out
from gatewright.rules.evalset import check_weighed
from gatewright.rules.labelling.traffic import check_ids, identified, typed
from gatewright.rules.schema import Schema
from gatewright.store.prediction_log import log_folder
from gatewright.store.schema_files import read_schema
from gatewright.store.traffic_log import ARM, AT, ID, PREDICTION, read_traffic
from gatewright.workspace import STATE, Workspace

if TYPE_CHECKING:
    import polars as pl

    from gatewright.domain.lineage import DataVersion

LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What people say about the traffic: `name` is `log`, a file, or a data set, perhaps with `@VERSION`."""

    name: str = LOG
    since: datetime | None = None
    until: datetime | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Rows with ids, without labels; from when to when they speak, and what they were read from."""

    rows: pl.DataFrame
    window_from: datetime
    window_to: datetime
    told: str


def traffic(workspace: Workspace, source: Source) -> Traffic:
    """Read it; UnusableInput for traffic without ids, without a time, or that is a biased sample itself."""
    schema = schema_of(workspace)
    if source.name == LOG:
        found = _logged(workspace, source, schema)
    elif source.name.lower().endswith(FORMATS):
        found = _of_file(workspace, source)
    else:
        found = _of_version(workspace, source)
    id, label = workspace.project.evaluation.id, workspace.project.evaluation.label
    check_ids(found.rows, id)
    left_out = [name for name in (label, *DESIGN_COLUMNS) if name in found.rows.columns]
    return Traffic(
        rows=found.rows.drop(left_out), window_from=found.window_from, window_to=found.window_to, told=found.told
    )


def schema_of(workspace: Workspace) -> Schema | None:
    """The schema file, if there is one."""
    path = safe_join(workspace.root, workspace.project.data.schema)
    return read_schema(path) if path.is_file() else None


def _logged(workspace: Workspace, source: Source, schema: Schema | None) -> Traffic:
    rows = read_traffic(log_folder(workspace.root, workspace.project.model), source.since, source.until)
    low, high = float(rows[AT].min()), float(rows[AT].max())  # type: ignore[arg-type]
    arms = rows[ARM].value_counts(sort=True)
    told = ", ".join(f"{arm}: {count:,}" for arm, count in arms.rows())
    named = identified(rows.drop(AT, ARM, PREDICTION), ID, workspace.project.evaluation.id, schema)
    return Traffic(
        rows=typed(named, schema),
        window_from=datetime.fromtimestamp(low, UTC),
        window_to=datetime.fromtimestamp(high, UTC),
        told=f"prediction log ({told})",
    )


def _of_file(workspace: Workspace, source: Source) -> Traffic:
    path = safe_join(workspace.root, source.name)
    if not path.is_file():
        raise UnusableInput(f"there is no file {source.name}", fix="name a .parquet or .csv file below the workspace")
    with reading(path):
        rows = scan(path).frame.collect()
    rows, begin, end = _windowed(rows, source)
    return Traffic(rows=rows, window_from=begin, window_to=end, told=f"{source.name} sha256:{digest_file(path)[:12]}")


def _of_version(workspace: Workspace, source: Source) -> Traffic:
    name, _, wanted = source.name.partition("@")
    versions = workspace.data_versions
    version = versions.get(name, wanted) if wanted else versions.latest(name, "traffic")
    if version.role != "traffic":
        raise UnusableInput(
            f"{name} {version.version} is {version.role} data, not traffic",
            fix=f"gatewright data add {name}-traffic PATH --role traffic",
        )
    check_weighed(version)
    with collected(workspace, version) as frame:
        rows = frame.collect()
    begin, end = (version.data_from, version.data_to)
    if source.time or (source.since and source.until):
        rows, begin, end = _windowed(rows, source)
    return Traffic(rows=rows, window_from=begin, window_to=end, told=f"{name} {version.version}")


def _windowed(rows: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, datetime, datetime]:
    """The rows of the window, and from when to when they speak: by a column of times, or as it was told."""
    import polars as pl

    if source.time is None:
        if source.since is None or source.until is None:
            raise UnusableInput(
                "nobody says from when to when this traffic speaks: the age of the evaluation set counts from there",
                fix="name its column of times: --time COLUMN; or write --since and --until",
            )
        return rows, source.since, source.until
    if source.time not in rows.columns or not rows[source.time].dtype.is_temporal():
        raise UnusableInput(
            f"{source.time} is no column of dates or times", fix="name another one, or --since, --until"
        )
    moments = rows[source.time].cast(pl.Datetime("us"))
    inside = moments.is_not_null()
    if source.since is not None:
        inside &= moments >= source.since.replace(tzinfo=None)
    if source.until is not None:
        inside &= moments <= source.until.replace(tzinfo=None)
    low, high = moments.filter(inside).min(), moments.filter(inside).max()
    if not isinstance(low, datetime) or not isinstance(high, datetime):
        raise UnusableInput(f"no row has a time in {source.time} within the window", fix="check --since and --until")
    return rows.filter(inside), low.replace(tzinfo=UTC), high.replace(tzinfo=UTC)


@contextmanager
def collected(workspace: Workspace, version: DataVersion) -> Iterator[pl.LazyFrame]:
    """The rows of a data version, its bytes proven, as long as the context lasts."""
    state = workspace.root / STATE
    state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="evalset-", dir=state) as folder:
        path = laid_out(workspace, version, Path(folder))
        with reading(path):
            yield scan(path).frame
