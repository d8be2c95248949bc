"""The composition root: one path in; the project, its adapters, its stores and a clock out."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

from gatewright.config.project import read_project
from gatewright.domain.documents import canonical_json, sha256, short
from gatewright.domain.errors import UnusableInput
from gatewright.domain.project import Project
from gatewright.ports import (
    Addressee,
    Check,
    Clock,
    Context,
    DataCheck,
    DataSource,
    Executor,
    Gateway,
    MetricSource,
    Registry,
    Traffic,
)
from gatewright.store.data_versions import DataVersions
from gatewright.store.database import BUSY_S, Database
from gatewright.store.marks import Marks
from gatewright.store.notices import Notices
from gatewright.store.opening import open_state
from gatewright.store.processes import Processes
from gatewright.store.records import Records
from gatewright.store.rollouts import Rollouts
from gatewright.store.routes import Routes
from gatewright.store.runs import Runs

CONFIG = "gatewright.yaml"
STATE = ".gatewright"


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Sleep; Ctrl-C ends it at once."""
        time.sleep(seconds)


class Plugins:
    """Parts found by entry point: what kinds there are, their options, and the parts themselves."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, EntryPoint]] | None = None

    def names(self, group: str) -> tuple[str, ...]:
        """Every installed kind of `group` (registries, traffic, …)."""
        return tuple(sorted(self._select(group)))

    def options(self, group: str, kind: str) -> type | None:
        """The Options dataclass of `kind`; None when it is not installed."""
        entry = self._entry(group, kind)
        return _options_of(entry) if entry else None

    def build(self, group: str, kind: str, options: Any, context: Context) -> Any:
        """The part itself; UnusableInput when it, or what it needs, is not installed."""
        entry = self._entry(group, kind)
        if entry is None:
            raise UnusableInput(
                f"there is no {group} of kind {kind!r}", fix=f"installed: {', '.join(self.names(group))}"
            )
        return _load(entry)(options if options is not None else _options_of(entry)(), context)

    def _entry(self, group: str, kind: str) -> EntryPoint | None:
        return self._select(group).get(kind)

    def _select(self, group: str) -> Mapping[str, EntryPoint]:
        """The parts of `group` by kind. All installed packages are looked through once: it costs 10 ms."""
        if self._entries is None:
            self._entries = {}
            for entry in (entry for found in distributions() for entry in found.entry_points):
                if entry.group.startswith("gatewright."):
                    self._entries.setdefault(entry.group, {}).setdefault(entry.name, entry)
        return self._entries.get(f"gatewright.{group}", {})


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        raise UnusableInput(
            f"{entry.name} needs {error.name}, which is not installed",
            fix=f"pip install 'gatewright[{entry.name}]'",
        ) from error


def _options_of(entry: EntryPoint) -> type:
    options: type = import_module(_load(entry).__module__).Options
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Everything a stage or a controller needs; nothing else knows where parts come from.

    `gateway` is None where traffic is divided elsewhere: then nothing of it runs on this machine.
    """

    root: Path
    project: Project
    config_digest: str
    clock: Clock
    owner: str
    database: Database
    runs: Runs
    records: Records
    rollouts: Rollouts
    marks: Marks
    routes: Routes
    processes: Processes
    data_versions: DataVersions
    sources: Mapping[str, DataSource]
    executor: Executor
    registry: Registry
    traffic: Traffic
    gateway: Gateway | None
    metrics: MetricSource
    checks: Mapping[str, Check]
    notices: Notices
    notifiers: Mapping[str, Addressee]
    data_checks: tuple[DataCheck, ...] = ()

    @classmethod
    def open(
        cls,
        root: Path,
        model: str | None = None,
        clock: Clock | None = None,
        busy_s: float = BUSY_S,
        *,
        here_only: bool = False,
    ) -> Workspace:
        """Read gatewright.yaml in `root`, open the state, and put the parts together.

        `model` chooses one of several; with one it may be left out. `busy_s` is how long it waits for another writer.
        `here_only`: a shared state as this machine has seen it last, for what only serves.
        """
        plugins = Plugins()
        root = root.resolve()
        project, config_digest = read_project(root / CONFIG, plugins, model)
        clock = clock or SystemClock()
        database = open_state(root, project.state, busy_s=busy_s, here_only=here_only)
        context = Context(root=root, model=project.model, database=database, clock=clock)

        def build(group: str, kind: str, options: Any = None) -> Any:
            return plugins.build(group, kind, options, context)

        local = project.serving.kind in plugins.names("gateways")

        return cls(
            root=root,
            project=project,
            config_digest=config_digest,
            clock=clock,
            owner=f"{socket.gethostname()}:{os.getpid()}",
            database=database,
            runs=Runs(root / STATE / "runs", database.handing_over),
            records=Records(database),
            rollouts=Rollouts(database),
            marks=Marks(database),
            routes=Routes(database),
            processes=Processes(database, project.model),
            data_versions=DataVersions(root),
            sources={kind: build("data", kind) for kind in plugins.names("data")},
            executor=build("executors", "local"),
            registry=build("registries", project.registry.kind, project.registry.options),
            traffic=build("traffic", project.serving.kind, project.serving.options),
            gateway=build("gateways", project.serving.kind, project.serving.options) if local else None,
            metrics=build("metrics", "live", build("evidence", project.evidence.kind, project.evidence.options)),
            checks=_checks(project, build),
            notices=Notices(database, project.model),
            notifiers=_notifiers(project, build),
            data_checks=tuple(_data_checks(project, build)),
        )


def _notifiers(project: Project, build: Any) -> dict[str, Addressee]:
    """Each under a name that it keeps as long as what is written of it stays the same."""
    found = {}
    for plugin in project.notify:
        name = f"{plugin.kind} {short(sha256(canonical_json(plugin.options)))[:6]}"
        notifier = build("notifiers", plugin.kind, plugin.options)
        found[name] = Addressee(notifier=notifier, events=tuple(getattr(plugin.options, "events", ())))
    return found


def _checks(project: Project, build: Any) -> dict[str, Check]:
    chosen: dict[str, Check] = {}
    if project.checks.lint:
        chosen["lint"] = build("checks", "ruff", project.checks.lint)
    if project.checks.dependencies:
        tool = {"pip-audit": "pip-audit", "uv": "uv-audit"}[project.checks.dependencies.tool]
        chosen["dependencies"] = build("checks", tool, project.checks.dependencies)
    return chosen


def _data_checks(project: Project, build: Any) -> Iterator[DataCheck]:
    section = project.checks.data
    for kind in ("pandera", "command"):
        if section is not None and getattr(section, kind) is not None:
            yield build("data_checks", kind, section)
