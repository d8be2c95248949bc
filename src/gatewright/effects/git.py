"""Which commit the workspace is at."""

from __future__ import annotations

import subprocess
from pathlib import Path

NO_GIT = "no-git"


def commit(root: Path) -> str:
    """The full commit id, with `-dirty` when tracked or new files differ from it; `no-git` outside a repository."""
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return NO_GIT
    return head + ("-dirty" if _git(root, "status", "--porcelain") else "")


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
