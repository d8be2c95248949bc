"""Which commit the workspace is at."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from gatewright.effects.files import digest_file

NO_GIT = "no-git"


def commit(root: Path) -> str:
    """The full commit id; `no-git` outside a repository.

    With changed or new files it ends in `-dirty.<hex>`, a digest of what differs: other changes, another commit.
    """
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return NO_GIT
    changed = _git(root, "ls-files", "--modified", "--deleted", "--others", "--exclude-standard", "-z") or ""
    staged = _git(root, "diff", "--cached", "--name-only", "-z") or ""
    names = sorted({name for name in (changed + "\0" + staged).split("\0") if name})
    return f"{head}-dirty.{_digest(root, names)}" if names else head


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
