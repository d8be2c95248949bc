"""Which commit the workspace is at, and what its code is."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

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
