"""Are the data versions of this commit those of an earlier one, and are the new ones right? Git is asked, not trusted.

A version is immutable: a file that is there in the earlier commit must be there now, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gatewright.domain.errors import DataError, UnusableInput
from gatewright.effects.files import read_bytes
from gatewright.effects.git import Touched, staged_bytes, staged_files, touched
from gatewright.store.data_versions import FOLDER
from gatewright.store.pointers import LIMIT, read_pointer

_DEPTH = len(FOLDER.parts) + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One file that is wrong: what is wrong with it, and what to do."""

    path: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The versions that are new, and all that is wrong."""

    new: tuple[str, ...]
    findings: tuple[Finding, ...]


def check_history(root: Path, against: str | None) -> Checked:
    """Everything below data/versions that differs from the common past with `against`, or (None) is staged.

    UnusableInput when git cannot tell.
    """
    folder, staged = FOLDER.as_posix(), against is None
    found = touched(root, folder, against=against)
    there = staged_files(root, folder) if staged else _files(root)
    findings = [finding for each in found for finding in _edited(each, against)]
    new = [each.path for each in found if each.what in ("new", "renamed")]
    for path in new:
        findings.extend(_wrong(root, path, there, staged))
    return Checked(new=tuple(new), findings=tuple(findings))


def _edited(each: Touched, against: str | None) -> Iterator[Finding]:
    source = against or "HEAD"
    match each.what:
        case "edited":
            fix = f"git checkout {source} -- {each.path}; changed data is a new version: gatewright data add"
            yield Finding(path=each.path, what="a recorded version was edited", fix=fix)
        case "deleted":
            fix = f"git checkout {source} -- {each.path}"
            yield Finding(path=each.path, what="a recorded version was deleted", fix=fix)
        case "renamed":
            fix = f"git mv {each.path} {each.was}; the same data under another name: gatewright data add"
            yield Finding(path=each.was or "", what=f"a recorded version was renamed to {each.path}", fix=fix)


def _wrong(root: Path, path: str, there: frozenset[str], staged: bool) -> Iterator[Finding]:
    place = PurePosixPath(path)
    if len(place.parts) != _DEPTH or place.suffix != ".yaml":
        yield Finding(
            path=path,
            what="is no pointer file: data/versions holds NAME/VERSION.yaml only",
            fix="gatewright data add writes it",
        )
        return
    try:
        data = staged_bytes(root, path) if staged else read_bytes(root / path, LIMIT)
        version = read_pointer(data, root / path, shown=path)
    except DataError as error:
        for problem in error.problems:
            yield Finding(path=path, what=f"{problem.where.line}:{problem.where.column}: {problem.what}", fix=error.fix)
        return
    except UnusableInput as error:
        yield Finding(path=path, what=error.what, fix=error.fix)
        return
    parent = place.with_name(f"{version.parent}.yaml").as_posix()
    if version.parent is not None and (parent not in there or version.parent == version.version):
        fix = "bring the parent's pointer file along, or add the version anew: gatewright data add"
        yield Finding(path=path, what=f"its parent {version.parent} is not there", fix=fix)


def _files(root: Path) -> frozenset[str]:
    return frozenset(path.relative_to(root).as_posix() for path in (root / FOLDER).rglob("*") if path.is_file())
