"""Who holds a lock on a file: Linux tells it in /proc/locks; elsewhere nothing is known."""

from __future__ import annotations

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")


def writer_of(path: Path) -> int | None:
    """The pid of another process that holds a write lock on a part of the file at `path`; None when none is known.

    The file itself is not opened: closing it again would drop the locks that this process has on it.
    """
    try:
        found = path.stat()
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return None
    name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) == 8 and words[1] == "POSIX" and words[3] == "WRITE" and words[5] == name:
            pid = int(words[4])
            if pid > 0 and pid != os.getpid():
                return pid
    return None
