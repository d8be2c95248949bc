"""The surroundings of a process: what decides how the same program with the same arguments would behave.

Two processes with the same surroundings import the same modules from the same files, under the same limits. Where they
differ, one may not stand in for the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gatewright

# Read when a library is imported, or by the interpreter itself: too late for a process that has imported it already.
IMPORT_TIME = (
    "BLIS_", "GOTO_", "JOBLIB_", "KMP_", "LANG", "LC_", "LD_", "MALLOC_", "MKL_", "NPY_", "NUMEXPR_", "NUMPY_", "OMP_",
    "OPENBLAS_", "POLARS_", "PYTHON", "SCIPY_", "SKLEARN_", "SKOPS_",
)  # fmt: skip
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_STATUS = ("Uid", "Gid", "Groups", "Umask", "CapEff", "NoNewPrivs", "Seccomp", "Cpus_allowed", "Mems_allowed")


def surroundings(environment: Mapping[str, str], cwd: Path) -> str:
    """sha256 over interpreter, path, installed packages, our own sources, import-time variables, limits and rights.

    `cwd` is where the program would run: modules that lie there come first.
    """
    parts = {
        "interpreter": [sys.executable, sys.version, list(sys.flags)],
        "path": [_folder(Path(entry)) for entry in sys.path[1:]],
        "here": [str(cwd), sorted(_stamp(entry) for entry in _scan(cwd) if entry.name.endswith(".py"))],
        "sources": sorted(_sources(Path(gatewright.__file__).parent)),
        "environment": sorted(item for item in environment.items() if item[0].startswith(IMPORT_TIME)),
        "limits": [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT")],
        "rights": [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(_STATUS)],
        "nice": os.nice(0),
        "namespaces": [str(Path("/proc/self/ns", name).readlink()) for name in _NAMESPACES],
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _folder(folder: Path) -> list[Any]:
    """One entry of the path: when it changed last, and the packages installed there, by name and version."""
    installed = sorted(entry.name for entry in _scan(folder) if entry.name.endswith((".dist-info", ".egg-info")))
    return [str(folder), folder.stat().st_mtime_ns if folder.exists() else None, installed]


def _sources(folder: Path) -> Iterator[list[Any]]:
    for entry in _scan(folder):
        if entry.name.endswith(".py"):
            yield _stamp(entry)
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(Path(entry.path))


def _stamp(entry: os.DirEntry[str]) -> list[Any]:
    known = entry.stat()
    return [entry.path, known.st_size, known.st_mtime_ns]


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return list(entries)
