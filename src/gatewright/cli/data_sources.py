"""What the commands of `gatewright data` share: the source of a kind, and a version in short."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from gatewright.domain.lineage import DataVersion
    from gatewright.ports import Context, DataSource, Progress


@dataclass(frozen=True, slots=True)
class _Folder:
    """All that a source of data is told here: there may be no model and no state database."""

    root: Path
    read_again: bool = False
    progress: Progress | None = None


def source_of(kind: str, root: Path, *, read_again: bool = False, progress: Progress | None = None) -> DataSource:
    """The source of this kind for the workspace at `root`; UnusableInput when there is none."""
    from gatewright.workspace import Plugins

    folder = cast("Context", _Folder(root.resolve(), read_again, progress))
    return cast("DataSource", Plugins().build("data", kind, None, folder))


def summary(version: DataVersion) -> dict[str, Any]:
    """A version in short, for programs."""
    return {
        "name": version.name,
        "version": version.version,
        "role": version.role,
        "digest": version.digest,
        "rows": version.rows,
        "data_to": version.data_to.isoformat(),
        "change": dict(version.change),
        "parent": version.parent,
    }
