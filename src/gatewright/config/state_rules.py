"""What has to hold of `state:`: names that git takes, and no word that its kind does not know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from gatewright.config.models import MODELS, OneModel
from gatewright.config.problems import shown
from gatewright.config.values import Finding, Values
from gatewright.domain.errors import Problem
from gatewright.domain.project import Project

_REMOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REF = re.compile(r"refs(/[A-Za-z0-9][A-Za-z0-9_-]*){2,8}")
_OF_GIT = ("remote", "ref", "keep", "timeout")


def state(values: Values) -> Iterator[Finding]:
    """Where the state lives must be a place that git can name."""
    section = values.at(("state",))
    if not isinstance(section, dict):
        return
    if section.get("kind", "local") == "local":
        for name in (name for name in _OF_GIT if name in section):
            yield ("state", name), "belongs to kind: git; a local state is in .gatewright and has no options"
    remote, ref = section.get("remote"), section.get("ref")
    if isinstance(remote, str) and remote and not _REMOTE.fullmatch(remote):
        yield ("state", "remote"), f"{shown(remote)} is not the name of a remote, such as origin"
    if isinstance(ref, str) and ref and (not _REF.fullmatch(ref) or ref.startswith("refs/tags/")):
        yield ("state", "ref"), f"{shown(ref)} is not a ref of its own, such as refs/gatewright/state"


def one_state(projects: Mapping[str, Project], models: Iterable[OneModel]) -> Iterator[Problem]:
    """All models of a workspace share one state database."""
    if len({project.state for project in projects.values()}) > 1:
        for model in models:
            if "state" in model.sections:
                what = f"is said of one model, but all share one state: write it above {MODELS}"
                where = model.document.place(("state",))
                yield Problem(where=where, field=f"{MODELS}.{model.name}.state", what=what)
