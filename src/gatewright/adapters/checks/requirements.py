"""Reads a requirements file as far as an auditor has to: which packages it asks for, and whether all are pinned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gatewright.effects.files import read_bytes, safe_join

_LIMIT = 4 << 20
_DEEPEST = 10
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"\s--?[A-Za-z].*$")
_NESTED = re.compile(r"(?:-r|--requirement)[\s=]*(\S+)$")
_UNPACKAGED = re.compile(r"-e\b|--editable\b|[A-Za-z][A-Za-z+]*://|\.{0,2}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """`packages`: normalised name → pinned version or None. `unreadable`: lines no audit can speak about."""

    packages: dict[str, str | None]
    unreadable: tuple[str, ...]

    @property
    def pinned(self) -> bool:
        """Whether every package is pinned to one version."""
        return all(version is not None for version in self.packages.values())


def read_requirements(root: Path, name: str) -> Requirements:
    """The requirements that hold on this platform, `-r` followed; UnusableInput for a file that cannot be read."""
    packages: dict[str, str | None] = {}
    unreadable: list[str] = []
    _read(root, safe_join(root, name), packages, unreadable, depth=0)
    return Requirements(packages=packages, unreadable=tuple(unreadable))


def _read(root: Path, path: Path, packages: dict[str, str | None], unreadable: list[str], depth: int) -> None:
    for number, line in _lines(read_bytes(path, _LIMIT).decode("utf-8", errors="replace")):
        where = f"{path.name}:{number}: {line}"
        nested = _NESTED.match(line)
        if nested and depth < _DEEPEST:
            beside = path.parent.resolve().relative_to(root.resolve()) / nested[1]
            _read(root, safe_join(root, str(beside)), packages, unreadable, depth + 1)
        elif nested or _UNPACKAGED.match(line):
            unreadable.append(where)
        elif not line.startswith("-"):
            _add(line, where, packages, unreadable)


def _lines(text: str) -> list[tuple[int, str]]:
    """(number of the first line, text) of each logical line: continued lines joined, comments and blanks left out."""
    found: list[tuple[int, str]] = []
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        first = first if pending else number
        pending += _COMMENT.sub("", raw)
        if raw.endswith("\\") and pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        if pending.strip():
            found.append((first, pending.strip()))
        pending = ""
    return [*found, (first, pending.strip())] if pending.strip() else found


def _add(line: str, where: str, packages: dict[str, str | None], unreadable: list[str]) -> None:
    try:
        requirement = Requirement(_OPTION.sub("", line))
    except InvalidRequirement:
        unreadable.append(where)
        return
    if requirement.marker is None or requirement.marker.evaluate():
        packages[canonicalize_name(requirement.name)] = _pin(requirement)


def _pin(requirement: Requirement) -> str | None:
    pins = [spec.version for spec in requirement.specifier if spec.operator in ("==", "===")]
    alone = len(pins) == 1 and len(requirement.specifier) == 1 and not pins[0].endswith("*")
    return pins[0] if alone and requirement.url is None else None
