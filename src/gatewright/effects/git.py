"""Which commit the workspace is at, and what its code is."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatewright.domain.errors import UnusableInput
from gatewright.effects.files import digest_file

NO_GIT = "no-git"
DATA_VERSIONS = "data/versions/"


def commit(root: Path) -> str:
    """The full commit id; `no-git` outside a repository.

    With changed or new files it ends in `-dirty.<hex>`, a digest of what differs: other changes, another commit.
    """
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return NO_GIT
    names = _changed(root)
    return f"{head}-dirty.{_digest(root, names)}" if names else head


def _changed(root: Path) -> list[str]:
    changed = _git(root, "ls-files", "--modified", "--deleted", "--others", "--exclude-standard", "-z") or ""
    staged = _git(root, "diff", "--cached", "--name-only", "--relative", "-z") or ""
    return sorted({name for name in (changed + "\0" + staged).split("\0") if name})


def code_digest(root: Path) -> str:
    """A digest of every file below `root` as committed or changed since, pointers of data versions left out.

    Two commits that differ only in data versions have the same; `no-git` outside a repository.
    """
    listed = _git(root, "ls-tree", "-r", "-z", "HEAD")
    if listed is None:
        return NO_GIT
    entries = [entry for entry in listed.split("\0") if entry and not _is_data(entry.partition("\t")[2])]
    names = [name for name in _changed(root) if not _is_data(name)]
    return hashlib.sha256("\n".join([*entries, _digest(root, names)]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """One file that differs from an earlier commit; paths are relative to the folder that was asked about."""

    path: str
    what: Literal["new", "edited", "deleted", "renamed"]
    was: str | None = None


def touched(root: Path, folder: str, *, against: str | None) -> tuple[Touched, ...]:
    """What differs below `folder`: between the index and the last commit (`against` None), or else between the files
    as they are now and the commit at which this branch left `against`.

    UnusableInput outside a repository, and for a commit that is not here or has no common past.
    """
    if against is None:
        listed = _git(root, "diff", "--cached", "--relative", "--name-status", "-M", "-z", "--", folder)
        if listed is None:
            raise UnusableInput(f"{root} is no git repository", fix="versions are compared with those of a commit")
        return tuple(_touched(listed))
    base = _git(root, "merge-base", "--end-of-options", against, "HEAD")
    if base is None:
        raise UnusableInput(
            f"git knows no commit that {against!r} and this one share",
            fix="name a branch or commit that was fetched with its history (CI: fetch depth 0)",
        )
    listed = _git(root, "diff", "--relative", "--name-status", "-M", "-z", base, "--", folder) or ""
    others = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", folder) or ""
    untracked = (Touched(path=name, what="new") for name in others.split("\0") if name)
    return (*_touched(listed), *untracked)


def staged_files(root: Path, folder: str) -> frozenset[str]:
    """The files below `folder` in the index."""
    return frozenset(name for name in (_git(root, "ls-files", "-z", "--", folder) or "").split("\0") if name)


def staged_bytes(root: Path, path: str) -> bytes:
    """A file as it is in the index; UnusableInput when it is not there."""
    done = subprocess.run(["git", "-C", str(root), "show", f":./{path}"], capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise UnusableInput(f"{path} is not in the index", fix="git add it first")
    return done.stdout


def _touched(listed: str) -> Iterator[Touched]:
    words = iter(word for word in listed.split("\0") if word)
    for status in words:
        path = next(words)
        match status[0]:
            case "A" | "C":
                yield Touched(path=next(words) if status[0] == "C" else path, what="new")
            case "D":
                yield Touched(path=path, what="deleted")
            case "R":
                yield Touched(path=next(words), what="renamed", was=path)
            case _:
                yield Touched(path=path, what="edited")


def _is_data(name: str) -> bool:
    return name.startswith(DATA_VERSIONS)


def _digest(root: Path, names: list[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        path = root / name
        digest.update(f"{name}\0{digest_file(path) if path.is_file() else 'gone'}\n".encode())
    return digest.hexdigest()[:8]


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
