"""The files of a data version, laid into a folder: exactly those, each proved by size and sha256."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gatewright.domain.errors import DigestChanged, UnusableInput, WorldFailed
from gatewright.domain.lineage import DataFile, DataVersion
from gatewright.effects.failpoints import failpoint
from gatewright.effects.files import guard

CHANGED = "restore the recorded bytes, or add the changed data as a new version: gatewright data add"


def lay_files(
    version: DataVersion,
    into: Path,
    source: Callable[[DataFile], Path],
    digest: Callable[[Path], str],
    shown: Callable[[Path], str],
) -> Path:
    """Lay exactly the files of `version` below `into`, as hard links to (or copies of) what `source` gives for each.

    Files that are there already and right are kept. DigestChanged names the first file that is not as recorded, as
    `shown`; UnusableInput when `into` holds anything else. Returns the file, or the folder of several.
    """
    refuse_outside = guard(into)
    for file in version.files:
        found = source(file)
        refuse_outside(file.path)
        target = into / file.path
        if _difference(target, file, digest) is not None:
            target.unlink(missing_ok=True)
            _lay(found, target)
        if changed := _difference(target, file, digest):
            target.unlink(missing_ok=True)
            raise DigestChanged(
                f"{shown(found)} of {version.name} {version.version}",
                recorded=f"{file.size:,} bytes sha256:{file.sha256}",
                found=changed,
                fix=CHANGED,
            )
    _refuse_strangers(into, version)
    return into / version.files[0].path if len(version.files) == 1 else into


def _difference(path: Path, file: DataFile, digest: Callable[[Path], str]) -> str | None:
    """What is at `path` instead of `file`; None when it is just that."""
    if path.is_symlink() or not path.is_file():
        return "no file"
    size = path.stat().st_size
    if size != file.size:
        return f"{size:,} bytes"
    found = digest(path)
    return None if found == file.sha256 else f"{size:,} bytes sha256:{found}"


def _lay(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        failpoint(f"before-link:{target.name}")
        try:
            os.link(source, target)
        except OSError:
            _copy(source, target)  # another file system, or one without hard links
        failpoint(f"after-link:{target.name}")
    except OSError as error:
        raise WorldFailed(
            f"cannot lay {source.name} at {target}: {error.strerror}", fix="free space or mend the rights, then resume"
        ) from error


def _copy(source: Path, target: Path) -> None:
    """Copy so that `target` is whole or absent."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    unfinished = Path(name)
    try:
        shutil.copyfile(source, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _refuse_strangers(into: Path, version: DataVersion) -> None:
    known = {file.path for file in version.files}
    below = sorted(path for path in into.rglob("*") if path.is_symlink() or not path.is_dir())
    for path in below:
        name = path.relative_to(into).as_posix()
        if name in known:
            continue
        if path.name.startswith(".") and any(path.name.startswith(f".{Path(item).name}.") for item in known):
            path.unlink()  # an unfinished copy of ours, left by a crash
            continue
        raise UnusableInput(
            f"{into} holds {name}, which is no file of {version.name} {version.version}",
            fix="remove the folder; it is made again",
        )
