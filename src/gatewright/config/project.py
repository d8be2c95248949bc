"""gatewright.yaml as a Project: read, written out, checked, and each part's options read by the part's own type."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from gatewright.config.consistency import contradictions
from gatewright.config.models import MODELS, shared_ports, split
from gatewright.config.nodes import Document, parse
from gatewright.config.problems import Path as Location
from gatewright.config.problems import dotted, failure, nearest, shown, unknown
from gatewright.config.reader import read_value
from gatewright.config.serving_rules import apart, shared_endpoints, too_hasty, unseen
from gatewright.config.shorthand import written_out
from gatewright.config.state_rules import one_state
from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.errors import ConfigError, Problem, UnusableInput
from gatewright.domain.project import Plugin, Project

LARGEST = 1 << 16
SECTIONS = {
    "registry": ("registries", "local"),
    "serving": ("traffic", "envoy"),
    "evidence": ("evidence", "access-log"),
    "trigger": ("triggers", "local"),
}
"""Section of the file -> the family of plugins it configures, and the kind it has by default."""
NOTIFY = "notify"
NOTIFIERS = "notifiers"


class PluginOptions(Protocol):
    """What is installed, and what can be said about each part."""

    def names(self, group: str) -> Sequence[str]:
        """Every installed kind of `group`: registries, traffic."""

    def options(self, group: str, kind: str) -> type | None:
        """The frozen dataclass with the options of `kind`; None when it is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What gatewright.yaml says: the project of each model, and the digest of what the file says about it."""

    projects: Mapping[str, Project]
    digests: Mapping[str, str]

    def choose(self, model: str | None) -> Project:
        """The project of `model`; UnusableInput when it is not there, or when several are and none is named."""
        names = ", ".join(self.projects)
        if model is None and len(self.projects) == 1:
            return next(iter(self.projects.values()))
        if model is None:
            raise UnusableInput(f"there are {len(self.projects)} models: {names}", fix="say which: --model NAME")
        if model not in self.projects:
            raise UnusableInput(f"there is no model {model!r}", fix=f"models: {names}")
        return self.projects[model]


def read_project(path: Path, plugins: PluginOptions, model: str | None = None) -> tuple[Project, str]:
    """The project of one model, and the digest of what the file says about it (comments and layout aside)."""
    configuration = read_configuration(path, plugins)
    project = configuration.choose(model)
    return project, configuration.digests[project.model]


def read_configuration(path: Path, plugins: PluginOptions) -> Configuration:
    """Every model at `path`. ConfigError tells every problem at once, each with line and column."""
    file = _displayed(path)
    document = parse(_bytes(path, file), file, ConfigError, LARGEST)
    if not isinstance(document.value, dict):
        what = f"{shown(document.value)} is not a mapping: the file starts with model: NAME"
        raise failure(ConfigError, file, [Problem(where=document.place(()), field="", what=what)])
    if MODELS not in document.value:
        project, problems = _read_one(document, path.parent, plugins)
        if problems or project is None:
            raise failure(ConfigError, file, problems)
        return Configuration(projects={project.model: project}, digests={project.model: _digest(document.value)})
    models, problems = split(document)
    projects: dict[str, Project] = {}
    for model in models:
        found, wrong = _read_one(model.document, path.parent, plugins)
        told = (model.told(problem) for problem in wrong)
        problems.extend(problem for problem in told if problem not in problems)
        if found is not None:
            projects[model.name] = found
    if not problems:
        problems.extend(shared_ports(projects, models))
        problems.extend(shared_endpoints(projects, models))
        problems.extend(one_state(projects, models))
    if problems:
        raise failure(ConfigError, file, problems)
    digests = {model.name: _digest(model.document.value) for model in models}
    return Configuration(projects=projects, digests=digests)


def _digest(value: Mapping[str, Any]) -> str:
    """Of what the file says about the model; on which machines its pipeline runs changes no model."""
    return sha256(canonical_json({key: item for key, item in value.items() if key != "ci"}))


def _read_one(document: Document, root: Path, plugins: PluginOptions) -> tuple[Project | None, list[Problem]]:
    value, problems = written_out(document)
    parts: dict[str, Any] = {
        name: _plugin((name,), value.pop(name, {}), document, plugins, problems, *family)
        for name, family in SECTIONS.items()
    }
    parts[NOTIFY] = _notify(value.pop(NOTIFY, []), document, plugins, problems)
    project, wrong = read_value(Project, value, document)
    _tell(problems, wrong)
    _tell(problems, contradictions(value, document, root))
    serving, evidence = parts["serving"], parts["evidence"]
    if serving is not None and evidence is not None:
        _tell(problems, unseen(document, plugins.names("gateways"), serving.kind, evidence.kind))
    if project is not None and not problems:
        _tell(problems, apart(document, project.model, parts))
        _tell(problems, too_hasty(document, project.rollout, parts["evidence"]))
    return (replace(project, **parts) if project is not None and not problems else None), problems


def _displayed(path: Path) -> str:
    """`path` as the user would type it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _bytes(path: Path, file: str) -> bytes:
    if not path.exists():
        fix = "gatewright init writes one; or name the folder that has it: -C FOLDER"
        raise ConfigError(f"{file} does not exist", (), fix=fix)
    if not path.is_file():
        raise ConfigError(f"{file} is not a file", (), fix="name the gatewright.yaml itself")
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", (), fix="check its rights") from error


def _tell(problems: list[Problem], more: Iterable[Problem]) -> None:
    """Add to `problems` what is not yet told of the same field: a second reason would be the echo of the first."""
    told = {problem.field for problem in problems}
    problems.extend(problem for problem in more if problem.field not in told)


def _notify(
    value: Any, document: Document, plugins: PluginOptions, problems: list[Problem]
) -> tuple[Plugin | None, ...]:
    """Who is to be told, each a part of its own."""
    if not isinstance(value, list):
        what = f"{shown(value)} is not a list: write {NOTIFY}: [{{kind: webhook, url_env: NAME}}]"
        _tell(problems, [Problem(where=document.place((NOTIFY,)), field=NOTIFY, what=what)])
        return ()
    return tuple(
        _plugin((NOTIFY, index), entry, document, plugins, problems, NOTIFIERS) for index, entry in enumerate(value)
    )


def _plugin(
    path: Location,
    value: Any,
    document: Document,
    plugins: PluginOptions,
    problems: list[Problem],
    group: str,
    default: str | None = None,
) -> Plugin | None:
    """The part at `path`, with its options; None and a problem if there is something wrong with it."""
    section = dotted(path)
    names = plugins.names(group)
    if not isinstance(value, dict):
        form = f"{section}: {{kind: {default}}}" if default else f"{{kind: {' or '.join(names)}}}"
        what = f"{shown(value)} is not a mapping: write {form}"
        _tell(problems, [Problem(where=document.place(path), field=section, what=what)])
        return None
    present = path[0] in document.value
    kind = value.get("kind", None if present else default)
    if kind is None:
        what, where = f"is missing: write one of: {', '.join(names)}", document.key_place(path)
        _tell(problems, [Problem(where=where, field=f"{section}.kind", what=what)])
        return None
    options = plugins.options(group, kind) if isinstance(kind, str) else None
    if options is None:
        word = kind if isinstance(kind, str) else shown(kind)
        what, where = unknown(word, names, nearest(word, names), kind="kind"), document.place((*path, "kind"))
        _tell(problems, [Problem(where=where, field=f"{section}.kind", what=what)])
        return None
    own = {key: item for key, item in value.items() if key != "kind"}
    read, wrong = read_value(options, own, document, path)
    _tell(problems, wrong)
    return Plugin(kind=kind, options=read)
