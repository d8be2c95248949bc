"""What git knows of the workspace: its commit, its files, and what differs."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatewright.domain.errors import UnusableInput
from gatewright.effects.failpoints import failpoint
from gatewright.effects.files import digest_file

NO_GIT = "no-git"
DATA_VERSIONS = "data/versions/"


def commit(root: Path) -> str:
    """The full commit id; `no-git` outside a repository.

    With changed or new files it ends in `-dirty.<hex>`, a digest of what differs: other changes, another commit.
    """
    found = head(root)
    if found is None:
        return NO_GIT
    names = changed_files(root)
    return f"{found}-dirty.{_digest(root, names)}" if names else found


def head(root: Path) -> str | None:
    """The id of the last commit; None outside a repository."""
    return _git(root, "rev-parse", "HEAD")


def top_of(root: Path) -> Path | None:
    """The root of the checkout that `root` lies in; None outside a repository."""
    found = _git(root, "rev-parse", "--show-toplevel")
    return Path(found) if found else None


def changed_files(root: Path) -> list[str]:
    """Names below `root` of all files that differ from the last commit, or are not in it, ignored ones left out."""
    changed = _git(root, "ls-files", "--modified", "--deleted", "--others", "--exclude-standard", "-z") or ""
    staged = _git(root, "diff", "--cached", "--name-only", "--no-renames", "--relative", "-z") or ""
    return sorted({name for name in (changed + "\0" + staged).split("\0") if name})


def committed_files(root: Path) -> dict[str, str] | None:
    """Name below `root` → mode and object hash in the last commit; None outside a repository."""
    listed = _git(root, "ls-tree", "-r", "-z", "HEAD")
    if listed is None:
        return None
    files = {}
    for entry in filter(None, listed.split("\0")):
        facts, _, name = entry.partition("\t")
        mode, _, object_hash = facts.split()
        files[name] = f"{mode} {object_hash}"
    return files


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


def _digest(root: Path, names: list[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        path = root / name
        digest.update(f"{name}\0{digest_file(path) if path.is_file() else 'gone'}\n".encode())
    return digest.hexdigest()[:8]


def _git(root: Path, *words: str) -> str | None:
    failpoint(f"before-git:{words[0]}")
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    failpoint(f"after-git:{words[0]}")
    return done.stdout.strip() if done.returncode == 0 else None
