"""What a training command runs with: interpreter, installed packages, and the program that the command names."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from gatewright.effects.processes import interpreter_first


def tools_digest(program: str) -> str:
    """Over Python's version, the machine's kind, every installed package with its version, and `program`.

    `program` is the first word of a command. One that is not beside our interpreter is told by path, size and time.
    """
    parts = {
        "python": platform.python_version(),
        "machine": [platform.system(), platform.machine()],
        "packages": sorted(set(_packages())),
        "program": _program(program),
    }
    return "sha256:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _packages() -> Iterator[str]:
    """`name-version` of all that is installed on our path."""
    for entry in sys.path:
        try:
            with os.scandir(entry or ".") as found:
                names = [each.name for each in found]
        except OSError:
            continue  # not a folder, or not there
        yield from (name.rpartition(".")[0] for name in names if name.endswith((".dist-info", ".egg-info")))


def _program(word: str) -> list[str | int]:
    path = shutil.which(word, path=interpreter_first().get("PATH"))
    if path is None:
        return [word, "not found"]
    if Path(path).parent == Path(sys.executable).parent:
        return [word]
    found = Path(path).stat()
    return [word, os.fspath(Path(path).resolve()), found.st_size, found.st_mtime_ns]
