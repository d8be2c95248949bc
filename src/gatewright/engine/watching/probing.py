"""Is there anything new where the data lies? If so, it becomes a version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatewright.domain.errors import GatewrightError, Problem, UnusableInput
from gatewright.domain.lineage import DataVersion, Role
from gatewright.effects.files import safe_join
from gatewright.engine.intake import Addition, add_version
from gatewright.ports import Probed
from gatewright.rules.schema import Schema
from gatewright.store.pins import Pins
from gatewright.store.schema_files import read_schema
from gatewright.workspace import Workspace

CREATED_BY = "gatewright data watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a look at one data set has found: `same`, `added`, `unsettled` or `untold`, and the reason."""

    name: str
    role: Role
    kind: str
    why: str
    version: DataVersion | None = None


def probe_all(workspace: Workspace, *, settle_s: float) -> Iterator[Probe]:
    """A look at each data set of the project; the trouble of one does not touch the others."""
    data = workspace.project.data
    sets: tuple[tuple[str, Role], ...] = ((data.train, "train"), (data.evaluation, "eval"))
    for name, role in sets:
        try:
            latest = workspace.data_versions.latest(name, role)
            yield _probe(workspace, latest, settle_s)
        except GatewrightError as error:
            yield Probe(name=name, role=role, kind="untold", why=_in_a_line(error))


def _probe(workspace: Workspace, latest: DataVersion, settle_s: float) -> Probe:
    """A pin that is known costs one question. Another one has to stand still for `settle_s` before bytes are read."""

    def told(kind: str, why: str, version: DataVersion | None = None) -> Probe:
        return Probe(name=latest.name, role=latest.role, kind=kind, why=why, version=version)

    source = workspace.sources.get(latest.kind)
    if not isinstance(source, Probed):
        return told("untold", f"a source of kind {latest.kind} cannot be probed: gatewright data add tells what is new")
    pins = Pins(workspace.database)
    # Times of versions are whole seconds: a version that is found within the same one has to be the later of the two.
    now = max(workspace.clock.now().replace(microsecond=0), latest.created_at + timedelta(seconds=1))
    pin, seen = source.probe(latest.uri), pins.get(latest)
    if seen is not None and seen.pin == pin:
        return told("same", f"{latest.uri} is as it was")
    if settle_s:
        workspace.clock.sleep(settle_s)
        if source.probe(latest.uri) != pin:
            return told("unsettled", f"{latest.uri} is still being written: looked at again next time")
    current = source.current(latest.uri)
    recorded = {file.path for file in latest.files}
    whole = seen.whole if seen is not None else {file.path for file in current} <= recorded
    names = () if whole else tuple(sorted(recorded))
    if not whole and not recorded <= {file.path for file in current}:
        raise UnusableInput(
            f"files of {latest.name} {latest.version} are gone from {latest.uri}",
            fix=f"restore them, or say which files are the new version: gatewright data add {latest.name} {latest.uri}",
        )
    version, new = _add(workspace, latest, names, now)
    if source.probe(latest.uri) != pin:
        return told("unsettled", f"{latest.uri} changed while it was read: looked at again next time", version)
    pins.put(latest, pin, whole=whole, now=now)
    others = "" if whole else f"; {len(current) - len(recorded)} other files there belong to no version of it"
    if not new:
        return told("same", f"{latest.uri} holds the bytes of {version.version}{others}")
    return told("added", f"{version.change.get('kind')}: {version.change.get('why', 'other bytes')}{others}", version)


def _add(workspace: Workspace, latest: DataVersion, names: tuple[str, ...], now: datetime) -> tuple[DataVersion, bool]:
    addition = Addition(
        name=latest.name,
        kind=latest.kind,
        uri=latest.uri,
        role=latest.role,
        created_by=CREATED_BY,
        names=names,
        label=latest.labels,
        data_to=max(now, latest.data_to),  # else it would not be the latest
        lineage=latest.lineage,
    )
    return add_version(
        addition,
        source=workspace.sources[latest.kind],
        versions=workspace.data_versions,
        schema=_schema(workspace),
        scratch=workspace.root / ".gatewright",
        now=now,
    )


def _schema(workspace: Workspace) -> Schema | None:
    path = safe_join(workspace.root, workspace.project.data.schema)
    return read_schema(path) if path.is_file() else None


def _in_a_line(error: GatewrightError) -> str:
    problems: tuple[Problem, ...] = getattr(error, "problems", ())
    return "; ".join([error.what, *map(str, problems[:3])])
