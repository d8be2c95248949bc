"""Files: written whole or not at all, digested, and never outside the folder they belong to."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.lineage import Artifact, DataFile
from gatewright.effects.failpoints import failpoint
from gatewright.effects.unfinished import sweep, unfinished_file, unfinished_folder

_CHUNK = 1 << 20


def write_atomic(path: Path, data: bytes, *, called: str | None = None) -> None:
    """Replace `path` by `data`: temporary file, fsync, rename, fsync of the folder. WorldFailed if the disk refuses.

    `called`: the name of its failpoints, for files that can be made again from others.
    """
    called = called or path.name
    failpoint(f"before-write:{called}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_file(path) as (unfinished, handle):
            with os.fdopen(handle, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(handle)
            os.fchmod(handle, 0o644)
            failpoint(f"before-rename:{called}")
            unfinished.replace(path)
            failpoint(f"after-rename:{called}")
        _sync_folder(path.parent)
    except OSError as error:
        raise _refused("write", path, error) from error
    failpoint(f"after-write:{called}")


def open_log(path: Path) -> BinaryIO:
    """`path` for appending, its folder made if need be. WorldFailed if the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as error:
        raise _refused("write", path, error) from error


def read_bytes(path: Path, limit: int) -> bytes:
    """The whole file; UnusableInput if it is missing, no file, or larger than `limit` bytes."""
    try:
        size = path.stat().st_size
        if size > limit:
            raise UnusableInput(
                f"{path} is {size:,} bytes large, at most {limit:,} are read", fix="is it the right file?"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnusableInput(f"{path} does not exist", fix="check the path, or run the stage that writes it") from error
    except OSError as error:
        raise UnusableInput(f"{path} cannot be read: {error.strerror}", fix="check the path and its rights") from error


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, as hex without a prefix."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def digest_listing(files: Iterable[DataFile]) -> str:
    """`sha256:<hex>` over the sorted lines `path size sha256`: the digest of a data version and of an artifact."""
    lines = sorted(f"{file.path} {file.size} {file.sha256}\n" for file in files)
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def names_below(folder: Path) -> Iterator[str]:
    """The files below `folder`, each by its path from there; links to folders are not followed."""
    for here, _, names in os.walk(folder):
        inside = os.path.relpath(here, folder)
        yield from names if inside == os.curdir else (f"{inside}/{name}" for name in names)


def list_files(
    root: Path, names: Iterable[str] | None = None, digest: Callable[[Path], str] = digest_file
) -> tuple[DataFile, ...]:
    """Digest the regular files at `root` (a file or a folder), sorted by path; links out of it are refused."""
    if root.is_file():
        base, chosen = root.parent, [root.name]
    else:
        base, chosen = root, list(names_below(root) if names is None else names)
    refuse_outside = guard(base)
    listed = []
    for name in sorted(chosen, key=lambda name: name.split("/")):
        refuse_outside(name)
        path = base / name
        found = path.stat() if path.exists() else None
        if found is not None and S_ISREG(found.st_mode):
            listed.append(DataFile(path=path.relative_to(base).as_posix(), size=found.st_size, sha256=digest(path)))
    return tuple(listed)


def guard(base: Path) -> Callable[[str], None]:
    """Refuses names that lead out of `base`, as `safe_join` does, for many names: at the price of one look a folder."""
    real, known = os.path.realpath(base), set[str]()

    def refuse_outside(name: str) -> None:
        folder, _, _ = name.rpartition("/")
        if ".." in name or "\0" in name or name.startswith("/") or folder not in known:
            safe_join(base, name)
            known.add(folder)
        elif (base / name).is_symlink() and not Path(os.path.realpath(base / name)).is_relative_to(real):
            raise UnusableInput(f"{base / name} leads out of {base}", fix="replace the link by the file itself")

    return refuse_outside


def measure_artifact(folder: Path) -> Artifact:
    """The artifact in `folder` as its bytes are now; WorldFailed when it holds no file."""
    files = list_files(folder) if folder.is_dir() else ()
    if not files:
        raise WorldFailed(f"{folder} holds no model", fix="the training command must write it into {output.dir}")
    return Artifact(uri=str(folder), digest=digest_listing(files), size=sum(file.size for file in files))


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; gone already is fine. WorldFailed if the disk refuses."""
    failpoint(f"before-remove:{path.name}")
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _refused("remove", path, error) from error
    failpoint(f"after-remove:{path.name}")


def safe_join(root: Path, name: str) -> Path:
    """`root / name`, refused when `name` is absolute or leads outside of `root`."""
    joined = root / name
    if "\0" in name or Path(name).is_absolute() or not joined.resolve().is_relative_to(root.resolve()):
        raise UnusableInput(f"{name!r} leads out of {root}", fix="use a path below the workspace")
    return joined


def copy_tree_atomic(source: Path, target: Path) -> None:
    """Copy a folder so that `target` exists only when complete and durable; an existing target is left alone."""
    if target.exists():
        sweep(target.parent, target.name)
        return
    failpoint(f"before-copy:{target.parent.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(target) as unfinished:
            shutil.copytree(source, unfinished, dirs_exist_ok=True)
            for path in unfinished.rglob("*"):
                if path.is_file():
                    _sync_file(path)
            failpoint(f"before-rename:{target.parent.name}")
            place_folder(unfinished, target)
            failpoint(f"after-rename:{target.parent.name}")
        _sync_folder(target.parent)
    except OSError as error:
        raise _refused("copy to", target, error) from error


def place_folder(whole: Path, target: Path) -> None:
    """Give the folder `whole` its name; a folder that another process has put there meanwhile is left alone."""
    try:
        whole.replace(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(verb: str, path: Path, error: OSError) -> WorldFailed:
    return WorldFailed(
        f"cannot {verb} {path}: {error.strerror or error}", fix="free space or mend the rights, then resume"
    )
