"""Several models in one file: each is read as if it had a file of its own, with shared sections above `models`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gatewright.config.nodes import Document, Spot
from gatewright.config.problems import shown
from gatewright.domain.errors import Problem
from gatewright.domain.project import Project

MODELS = "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneModel:
    """A model's own document; `sections` are those that stand below its name, the others are shared."""

    name: str
    document: Document
    sections: frozenset[str]

    def told(self, problem: Problem) -> Problem:
        """`problem` with the path that the file has for its field."""
        section = problem.field.partition(".")[0].partition("[")[0]
        if section == "model":
            return replace(problem, field=f"{MODELS}.{self.name}")
        if section in self.sections or section not in self.document.value:
            return replace(problem, field=f"{MODELS}.{self.name}.{problem.field}".rstrip("."))
        return problem


def split(document: Document) -> tuple[list[OneModel], list[Problem]]:
    """The models of a file that has `models`, each with a document of its own.

    A section that a model does not have is taken, whole, from the top of the file.
    """
    value = document.value
    problems = []
    if "model" in value:
        what = "stands beside models: a model is named by its key there"
        problems.append(Problem(where=document.key_place(("model",)), field="model", what=what))
    entries = value[MODELS]
    if not isinstance(entries, dict) or not entries:
        what = f"{shown(entries)} names no model: write models: {{NAME: {{data: …, train: …}}}}"
        return [], [*problems, Problem(where=document.place((MODELS,)), field=MODELS, what=what)]
    shared = {key: item for key, item in value.items() if key not in (MODELS, "model")}
    found = []
    for name, sections in entries.items():
        if isinstance(sections, dict) and "model" not in sections:
            own = _own(document, name, {"model": name, **shared, **sections})
            found.append(OneModel(name=name, document=own, sections=frozenset(sections)))
            continue
        what = f"{shown(sections)} is not a mapping: write its sections (data, train, evaluation, gates, …)"
        if isinstance(sections, dict):
            what = "holds the word model: the key above it is the name already"
        problems.append(Problem(where=document.place((MODELS, name)), field=f"{MODELS}.{name}", what=what))
    for section in shared if found else ():
        if all(section in model.sections for model in found):
            what = f"stands above {MODELS}, and every model has its own: remove it, or theirs"
            problems.append(Problem(where=document.key_place((section,)), field=section, what=what))
    return found, problems


def shared_ports(projects: Mapping[str, Project], models: Iterable[OneModel]) -> Iterator[Problem]:
    """Two models cannot listen on one port."""
    taken: dict[Any, str] = {}
    for model in models:
        options = projects[model.name].serving.options
        place = (getattr(options, "host", None), getattr(options, "port", None))
        if place[1] is not None and place in taken:
            what = f"{place[1]} is also the port of {taken[place]}: give each model its own"
            where = model.document.place(("serving", "port"))
            yield Problem(where=where, field=f"{MODELS}.{model.name}.serving.port", what=what)
        taken.setdefault(place, model.name)


def _own(document: Document, name: str, value: dict[str, Any]) -> Document:
    """The document of one model; the positions of shared sections stay those of the file."""
    below = document.places.children or {}
    entries = below[MODELS].children or {}
    spot = entries[name]
    line, column = spot.key or (spot.line, spot.column)
    named = Spot(line=line, column=column)
    children = {**below, **(spot.children or {}), "model": named}
    return Document(value=value, file=document.file, places=replace(spot, children=children))
