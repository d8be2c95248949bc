"""Data versions: one small immutable pointer file each, data/versions/<name>/<date>-<digest8>.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from gatewright.domain.errors import DataError, Problem, UnusableInput
from gatewright.domain.lineage import DataVersion, Role
from gatewright.effects.files import read_bytes, write_atomic
from gatewright.store.aliases import Aliases
from gatewright.store.pointers import LIMIT, read_pointer, render_pointer

FOLDER = Path("data") / "versions"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def version_id(version: DataVersion) -> str:
    """`<date of data_to>-<first eight hex digits of the digest>`: the id that a version must have."""
    return f"{version.data_to.astimezone(UTC):%Y-%m-%d}-{version.digest.removeprefix('sha256:')[:8]}"


class DataVersions:
    """The data versions of one workspace, as they are checked out."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / FOLDER
        self.aliases = Aliases(root)
        self._parsed: dict[Path, tuple[tuple[int, int, int], DataVersion]] = {}

    def path(self, version: DataVersion) -> Path:
        """Where the pointer file of `version` lies."""
        return self._folder / version.name / f"{version.version}.yaml"

    def add(self, version: DataVersion) -> Path:
        """Write the pointer file; the same bytes in the same role give the file that exists, unchanged.

        UnusableInput for a name that is no name, and for bytes that are known in another role. DataError for a version
        that could not be read back.
        """
        check_name(version.name)
        if existing := self.find(version.name, version.digest):
            if existing.role != version.role:
                raise UnusableInput(
                    f"{existing.name} {existing.version} holds these bytes as {existing.role} data",
                    fix=f"give them another name to use them as {version.role} data too",
                )
            return self.path(existing)
        version = replace(version, version=version_id(version))
        path = self.path(version)
        text = render_pointer(version)
        known = read_pointer(text, path, shown=self._shown(path))
        if path.exists():
            raise UnusableInput(f"{self._shown(path)} is there already", fix="a version is never overwritten")
        write_atomic(path, text)
        self._parsed[path] = _stamp(path), known
        return path

    def has(self, name: str) -> bool:
        """Whether there is any version of `name`."""
        return bool(self._paths(name))

    def find(self, name: str, digest: str) -> DataVersion | None:
        """The version of `name` with exactly these bytes."""
        pattern = f"*-{digest.removeprefix('sha256:')[:8]}.yaml"
        found = (self._read(path) for path in sorted((self._folder / name).glob(pattern)))
        return next((version for version in found if version.digest == digest), None)

    def all(self, name: str | None = None) -> tuple[DataVersion, ...]:
        """Every version (of `name`), by name and oldest first; DataError tells every file that is damaged at once."""
        versions, problems = [], list[Problem]()
        for folder in self._folders(name):
            for path in self._paths(folder.name):
                try:
                    versions.append(self._read(path))
                except DataError as error:
                    problems.extend(error.problems)
        if problems:
            raise DataError(
                "data versions are damaged", tuple(problems), fix="restore them: git checkout -- data/versions"
            )
        return tuple(sorted(versions, key=lambda version: (version.name, *_age(version))))

    def get(self, name: str, version: str) -> DataVersion:
        """The version with this id (or `@alias`), or the only one whose id begins so; UnusableInput with the known."""
        paths = self._known(name)
        if version.startswith("@"):
            version = self.aliases.get(name, version[1:])
        chosen = [path for path in paths if path.stem == version]
        chosen = chosen or [path for path in paths if version and path.stem.startswith(version)]
        if len(chosen) == 1:
            return self._read(chosen[0])
        newest = ", ".join(path.stem for path in (chosen or paths)[-5:])
        if chosen:
            raise UnusableInput(f"{version!r} can mean {len(chosen)} versions of {name}", fix=f"name one: {newest}")
        raise UnusableInput(f"{name} has no version {version!r}", fix=f"its newest versions: {newest}")

    def named(self, text: str) -> DataVersion:
        """The version that `NAME`, `NAME@VERSION`, `NAME@ALIAS` or the path of a pointer file means."""
        path = Path(text)
        if path.suffix == ".yaml":
            if path.parent.name == "" or not (self._folder / path.parent.name / path.name).is_file():
                raise UnusableInput(f"there is no data version {text!r}", fix="name a file below data/versions")
            return self._read(self._folder / path.parent.name / path.name)
        name, at, version = text.partition("@")
        if not at:
            return self.all(name)[-1]
        return self.get(name, f"@{version}" if version in self.aliases.all().get(name, {}) else version)

    def latest(self, name: str, role: Role) -> DataVersion:
        """The version of this name and role with the greatest (data_to, created_at); UnusableInput without one."""
        best: DataVersion | None = None
        for path in reversed(self._known(name)):
            if best and path.stem[:10] < best.version[:10]:
                break  # the file name begins with the date of data_to, and they come newest first
            version = self._read(path)
            if version.role == role and (best is None or _age(version) > _age(best)):
                best = version
        if best is None:
            raise UnusableInput(
                f"{name} has no version of role {role}", fix=f"gatewright data add {name} PATH --role {role}"
            )
        return best

    def _known(self, name: str) -> list[Path]:
        check_name(name)
        if paths := self._paths(name):
            return paths
        names = ", ".join(folder.name for folder in self._folders(None))
        known = f"known: {names}" if names else f"gatewright data add {name} PATH"
        raise UnusableInput(f"there is no data set {name!r} in {FOLDER}", fix=known)

    def _folders(self, name: str | None) -> Iterable[Path]:
        if name is not None:
            return [self._known(name)[0].parent]
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.is_dir() and self._paths(path.name))

    def _paths(self, name: str) -> list[Path]:
        return sorted(path for path in (self._folder / name).glob("*.yaml") if not path.name.startswith("."))

    def _read(self, path: Path) -> DataVersion:
        """The version that a file holds; a file that is just as it was is not read again."""
        stamp = _stamp(path)
        known = self._parsed.get(path)
        if known is None or known[0] != stamp:
            known = stamp, read_pointer(read_bytes(path, LIMIT), path, shown=self._shown(path))
            self._parsed[path] = known
        return known[1]

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def check_name(name: str) -> None:
    """UnusableInput when `name` cannot be the name of a data set."""
    if not _NAME.fullmatch(name):
        raise UnusableInput(
            f"{name!r} is no name for a data set", fix="use letters, digits, dots, dashes and underscores, at most 64"
        )


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _age(version: DataVersion) -> tuple[object, object]:
    return version.data_to, version.created_at
