"""Which data versions a run works on: the latest ones, or the one that somebody names."""

from __future__ import annotations

import re

from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import DataVersion, Role
from gatewright.workspace import Workspace

Chosen = tuple[DataVersion, DataVersion]
"""Training data and evaluation data."""
_NAMED = re.compile(r"(?:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})@)?(?P<version>@?[A-Za-z0-9][A-Za-z0-9._-]{0,63})")


def latest_data(workspace: Workspace) -> Chosen:
    """The latest versions of both data sets; UnusableInput where there is none."""
    data = workspace.project.data
    return workspace.data_versions.latest(data.train, "train"), workspace.data_versions.latest(data.evaluation, "eval")


def chosen_data(workspace: Workspace, text: str) -> Chosen:
    """The version that `text` names, `VERSION` of the training data or `NAME@VERSION`, and the latest of the other.

    UnusableInput when it is no such text, or names no version of one of this model's data sets in its role.
    """
    data, versions = workspace.project.data, workspace.data_versions
    match = _NAMED.fullmatch(text)
    if match is None:
        raise UnusableInput(
            f"{text!r} names no data version",
            fix="write VERSION, @ALIAS or NAME@VERSION, of letters, digits, and . _ -: gatewright data list",
        )
    name, version = match["name"] or data.train, match["version"]
    if name == data.train:
        return _in_role(versions.get(name, version), "train"), versions.latest(data.evaluation, "eval")
    if name == data.evaluation:
        return versions.latest(data.train, "train"), _in_role(versions.get(name, version), "eval")
    raise UnusableInput(
        f"{workspace.project.model} does not work on {name!r}", fix=f"name one of: {data.train}, {data.evaluation}"
    )


def _in_role(version: DataVersion, role: Role) -> DataVersion:
    if version.role != role:
        raise UnusableInput(
            f"{version.name} {version.version} is {version.role} data, not {role} data", fix="name another version"
        )
    return version
