"""What the code of a project is: every file below its root, each by the hash of its content, however it got there.

In a repository these are the files of the last commit and what differs from it since, ignored ones left out; the same
content has the same digest before and after it is committed. Outside, they are all files that no dot hides.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from gatewright.effects.git import DATA_VERSIONS, changed_files, committed_files

_NOT_CODE = {"__pycache__"}
_DATA = (".parquet", ".csv")
_CHUNK = 1 << 20


def code_digest(
    root: Path, leave_out: Collection[str] = (), data_files: Callable[[], Collection[str]] = lambda: ()
) -> str:
    """A digest of every file below `root`, pointers of data versions and `leave_out` (names below `root`) left out.

    `data_files` tells which files are data of some version; asked only when there is one that looks like data.
    """
    return digest_of_files(code_files(root), leave_out, data_files)


def digest_of_files(
    files: Mapping[str, str], leave_out: Collection[str] = (), data_files: Callable[[], Collection[str]] = lambda: ()
) -> str:
    """The same of files that are known already, by name: those of a commit, say."""
    names = {name for name in files if not name.startswith(DATA_VERSIONS)} - set(leave_out)
    if any(name.lower().endswith(_DATA) for name in names):
        names -= set(data_files())
    lines = (f"{files[name]} {name}\n" for name in sorted(names))
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


def code_files(root: Path) -> Mapping[str, str]:
    """Name below `root` → mode and hash, as git writes them."""
    committed = committed_files(root)
    if committed is None:
        return {name: _identity(root / name) for name in _walk(root)}
    length = max((len(identity.split()[1]) for identity in committed.values()), default=40)
    files = dict(committed)
    for name in changed_files(root):
        path = root / name
        if path.is_symlink() or path.is_file():
            files[name] = _identity(path, "sha256" if length == 64 else "sha1")
        else:
            files.pop(name, None)
    return files


def _identity(path: Path, algorithm: str = "sha1") -> str:
    """Mode and blob hash: what git would call the file in a commit."""
    if path.is_symlink():
        target = os.fsencode(path.readlink())
        return f"120000 {hashlib.new(algorithm, b'blob %d' % len(target) + bytes(1) + target).hexdigest()}"
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        digest = hashlib.new(algorithm, b"blob %d\0" % found.st_size)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return f"{'100755' if found.st_mode & 0o100 else '100644'} {digest.hexdigest()}"


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_CODE)
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and (path.is_symlink() or path.is_file()):
                yield path.relative_to(root).as_posix()
