"""Delta tables (`delta`): the parquet files that the table's log names in one version.

A version is pinned by its number. Its files are never rewritten: what a later version adds to them is an append, which
the manifests of two versions then show. Tables whose parquet files are not all there is to them are refused: partition
columns stand in paths, deletion vectors and column mapping change what the files say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gatewright.adapters.data.cached import CachedSource, Item, Surroundings, data_items, unusable
from gatewright.adapters.data.stored import Stored
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.lineage import DataVersion
from gatewright.effects.addresses import check_url
from gatewright.effects.files import safe_join
from gatewright.ports import Pin

_AT = "?version="
_SCHEMES = ("s3", "gs", "az", "abfs")
_LIMITS = {"connect_timeout": "10s", "timeout": "60s", "max_retries": "3", "retry_timeout": "60s"}
_CHANGES_ROWS = {"deletionVectors", "columnMapping"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Delta tables have no options; credentials come from the environment."""


class DeltaSource(CachedSource):
    """Ports `DataSource` and `PinnedSource` on a Delta table in a folder of the workspace or behind a URL.

    `?version=N` behind the uri takes the table as it was then; without it, as it is now.
    """

    def __init__(self, options: Options, context: Surroundings) -> None:
        super().__init__(context)
        self._stored = Stored()

    def listed(self, uri: str, version: DataVersion | None) -> tuple[Item, ...]:
        """The files of the table now, or in the version that was pinned."""
        base = self._base(uri)
        table = self._table(uri, int(version.pin) if version is not None and version.pin else None)
        actions = table.get_add_actions(flatten=True)
        columns = [[value.as_py() for value in actions.column(name)] for name in ("path", "size_bytes")]
        times = [value.as_py() for value in actions.column("modification_time")]
        items = []
        for name, size, time in zip(*columns, times, strict=True):
            path = unquote(name)
            if "://" in path or path.startswith("/") or ".." in path.split("/"):
                raise unusable(uri, f"its file {path!r} lies outside of it (a shallow clone?)")
            at = f"{base}/{path}" if "://" in base else str(safe_join(Path(base), path))
            items.append(Item(path=path, at=at, size=int(size), mark=str(time)))
        return data_items(items, uri)

    def chunks(self, item: Item) -> Iterator[bytes]:
        """The bytes of one parquet file."""
        return self._stored.chunks(item.at)

    def still(self, item: Item) -> bool:
        """The files of a Delta table are never rewritten."""
        return True

    def exists(self, item: Item) -> bool:
        """Whether the file is there: the log names it also after it was vacuumed."""
        return self._stored.exists(item.at)

    def pin_of(self, uri: str, items: Sequence[Item]) -> Pin | None:
        """The number of the table's version."""
        return Pin(value=str(self._table(uri, None).version()), immutable=True)

    def _base(self, uri: str) -> str:
        """The folder or URL of the table."""
        plain = uri.partition(_AT)[0].rstrip("/")
        if "://" in plain:
            if check_url(plain) not in _SCHEMES:
                raise UnusableInput(
                    f"a Delta table may not be behind {plain.partition(':')[0]}://",
                    fix=f"use {', '.join(f'{name}://' for name in _SCHEMES)}, or a folder of the workspace",
                )
            return plain
        return str(safe_join(self._root, plain))

    def _table(self, uri: str, pinned: int | None) -> Any:
        """The table at the version that is pinned, told by the uri, or the latest one."""
        chosen = uri.partition(_AT)[2]
        if chosen and not chosen.isdecimal():
            raise UnusableInput(f"{chosen!r} is no version of a Delta table", fix=f"write {_AT}N with a whole number")
        base = self._base(uri)
        try:
            from deltalake import DeltaTable
            from deltalake.exceptions import DeltaError, TableNotFoundError
        except ImportError as error:
            raise UnusableInput(
                "Delta tables need deltalake, which is not installed", fix="pip install 'gatewright[delta]'"
            ) from error
        try:
            asked = pinned if pinned is not None else int(chosen) if chosen else None
            table = DeltaTable(base, version=asked, storage_options=_LIMITS if "://" in base else None)
        except TableNotFoundError as error:
            raise unusable(uri, "there is no Delta table") from error
        except DeltaError as error:
            raise unusable(uri, f"cannot be read as a Delta table: {_words(error)}") from error
        except OSError as error:
            raise WorldFailed(f"{uri}: {_words(error)}", fix="is the service up? Are there credentials?") from error
        _refuse_partial(table, uri)
        return table


def _refuse_partial(table: Any, uri: str) -> None:
    """Refuse a table whose parquet files alone do not say what is in it."""
    columns = table.metadata().partition_columns
    if columns:
        raise unusable(uri, f"it is partitioned by {', '.join(columns)}, which stand in paths and not in the files")
    mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
    features = set(table.protocol().reader_features or ()) & _CHANGES_ROWS
    if features or mapped:
        raise unusable(uri, f"it uses {', '.join(sorted(features)) or 'columnMapping'}, which change what files say")


def _words(error: Exception) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m|\s+|↳", " ", str(error))
    return re.sub(r" +", " ", plain).strip()[:300] or type(error).__name__
