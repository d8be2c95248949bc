"""Files and folders on their way to a name: locked while their writer lives, swept away once it was killed.

An unfinished one lies beside its target as `.<name>.<eight signs>`. The kernel gives its lock back with the writer's
life, so whoever can lock it knows that nobody will finish it. Where a file system has no locks, nothing is swept.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"\.(?P<target>.+)\.[a-z0-9_]{8}")


@contextlib.contextmanager
def unfinished_file(target: Path) -> Iterator[tuple[Path, int]]:
    """A new file beside `target`, and its descriptor; gone afterwards unless it was renamed. Left ones are swept."""
    sweep(target.parent, target.name)
    with contextlib.ExitStack() as undo:
        while True:
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            undo.callback(os.close, handle)
            if _locked(handle, Path(name), wait=True):
                break
        undo.callback(Path(name).unlink, missing_ok=True)
        yield Path(name), handle


@contextlib.contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target`; gone afterwards unless it was renamed. Left ones are swept."""
    sweep(target.parent, target.name)
    with contextlib.ExitStack() as undo:
        while True:
            name = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            with contextlib.suppress(FileNotFoundError):  # swept before it was locked: another one
                handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
                undo.callback(os.close, handle)
                if _locked(handle, name, wait=True):
                    break
        undo.callback(shutil.rmtree, name, ignore_errors=True)
        yield name


def sweep(folder: Path, target: str | None = None) -> None:
    """Remove what killed writers have left in `folder`, of one target or of all."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            found = _NAME.fullmatch(entry.name)
            if found and target in (None, found["target"]):
                _remove(Path(entry.path))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            if not _locked(handle, path, wait=False):
                return
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _locked(handle: int, path: Path, *, wait: bool) -> bool:
    """Lock it; False when it is not there any more, or when somebody else holds it and we do not wait.

    A writer goes on without a lock where the file system has none.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return wait
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(handle))
    except FileNotFoundError:
        return False
