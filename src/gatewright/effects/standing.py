"""How data files stand: what `stat` tells of all of them, as one digest. While it is the same, nobody has touched them.

Little is imported, here and by whoever asks first: to say that nothing changed must cost next to nothing.
"""

from __future__ import annotations

import os
from array import array
from hashlib import sha256
from operator import attrgetter
from stat import S_ISDIR, S_ISREG

FORMATS = (".parquet", ".csv")
"""How the names of data files end, in small letters."""
_NUMBERS = attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")


def standing(root: str, uri: str) -> tuple[str, int] | None:
    """A digest over name, device, inode, size, mtime and ctime of the data files at `uri`, and their newest time in ns.

    `uri` is a path below the folder `root`: one file, or all data files below a folder, dot files left out. None where
    it is not that simple and somebody has to look closer: symbolic links, special files, nothing there, no rights.
    """
    place = os.path.join(root, uri)
    if "\0" in uri or ".." in uri.split("/") or os.path.isabs(uri):
        return None
    try:
        if os.path.realpath(place) != os.path.normpath(os.path.join(os.path.realpath(root), uri)):
            return None
        found = os.lstat(place)
        if S_ISREG(found.st_mode):
            return _digest("file", [os.path.basename(place)], _NUMBERS(found))
        return _below(place) if S_ISDIR(found.st_mode) else None
    except (OSError, OverflowError):  # the latter: numbers of inodes that no 64 bits with a sign hold
        return None


def _below(folder: str) -> tuple[str, int] | None:
    names, numbers, folders = list[str](), list[int](), [""]
    while folders:
        inside = folders.pop()
        with os.scandir(os.path.join(folder, inside)) as entries:
            found = sorted(entries, key=attrgetter("name"))
        for entry in found:
            name = entry.name
            if name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{inside}{name}/")
            elif name.endswith(FORMATS) or name.lower().endswith(FORMATS):
                if not entry.is_file(follow_symlinks=False):
                    return None
                names.append(inside + name)
                numbers += _NUMBERS(entry.stat(follow_symlinks=False))
    return _digest("folder", names, numbers) if names else None


def _digest(kind: str, names: list[str], numbers: list[int] | tuple[int, ...]) -> tuple[str, int]:
    digest = sha256(array("q", numbers).tobytes())
    digest.update("\0".join([kind, *names]).encode("utf-8", "surrogateescape"))
    return digest.hexdigest(), max(max(numbers[3::5]), max(numbers[4::5]))
