"""A look at a repository: names and sizes of its files, and the text of code and settings; nothing is changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from gatewright.domain.adoption import Repository
from gatewright.effects.git import top_of

_MOST_FILES = 20_000
_TEXT_LIMIT = 256 << 10
_TEXTS_LIMIT = 16 << 20
_TEXT_ENDS = (".py", ".env", ".json", ".yml", ".yaml", ".toml", ".cfg", ".ini", ".sh", ".txt", ".gitignore")
_SKIPPED = {
    "node_modules", "__pycache__", "venv", "env", "site-packages", "dist", "build", "mlruns", "wandb", "target",
}  # fmt: skip
_SHOWN = {".github", ".gitlab"}


def look(root: Path) -> Repository:
    """What is below `root`, hidden folders and environments left out; texts above 256 KiB are not read."""
    files: dict[str, int] = {}
    texts: dict[str, str] = {}
    room, truncated = _TEXTS_LIMIT, False
    for path in _walk(root):
        if len(files) >= _MOST_FILES:
            truncated = True
            break
        name = path.relative_to(root).as_posix()
        size = path.stat().st_size
        files[name] = size
        is_text = name.lower().endswith(_TEXT_ENDS) or path.name.startswith((".env", "Jenkinsfile"))
        if is_text and size <= min(_TEXT_LIMIT, room):
            texts[name] = path.read_text(encoding="utf-8", errors="replace")
            room -= size
    top = top_of(root)
    inside = top is not None
    return Repository(
        name=root.resolve().name,
        files=files,
        texts=texts,
        ci_files=_ci_files(top or root),
        is_git=inside,
        remote=_git(root, "remote", "get-url", "origin") if inside else None,
        branch=_branch(root) if inside else None,
        truncated=truncated,
    )


def _ci_files(top: Path) -> tuple[str, ...]:
    workflows = top / ".github" / "workflows"
    found = sorted(workflows.iterdir()) if workflows.is_dir() else []
    names = [f".github/workflows/{path.name}" for path in found if path.suffix in (".yml", ".yaml")]
    return (*names, *(name for name in (".gitlab-ci.yml", "Jenkinsfile") if (top / name).is_file()))


def _walk(root: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if _wanted(Path(here) / name))
        for name in sorted(names):
            path = Path(here) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _wanted(folder: Path) -> bool:
    name = folder.name
    if name in _SKIPPED or folder.is_symlink() or (folder / "pyvenv.cfg").is_file():
        return False
    return not name.startswith(".") or name in _SHOWN


def _branch(root: Path) -> str | None:
    head = _git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    return head.partition("/")[2] if head else _git(root, "symbolic-ref", "--short", "HEAD")


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
