"""Where data comes from, what checks it, and who starts the run of a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from gatewright.domain.claim import Order, Started
from gatewright.domain.lineage import DataFile, DataVersion
from gatewright.ports.work import CheckResult


class DataSource(Protocol):
    """Where the bytes of a data version live."""

    def current(self, uri: str) -> tuple[DataFile, ...]:
        """List and digest the files at `uri` as they are now; DataError when there is nothing usable."""

    def read(self, version: DataVersion, into: Path) -> Path:
        """Lay exactly the files of `version` below `into`, verified; return the file or folder to hand on."""


@runtime_checkable
class Probed(Protocol):
    """A `DataSource` that can cheaply tell whether it holds something new; one without it is not watched."""

    def probe(self, uri: str) -> str:
        """The present pin of what lies at `uri`: another one when the bytes may be others. No byte is read.

        DataError when there is nothing usable, WorldFailed when it cannot be asked.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The source's own id of what it holds. `immutable`: asked with this id, it can never give other bytes."""

    value: str
    immutable: bool


@runtime_checkable
class PinnedSource(DataSource, Protocol):
    """A source that can say without reading the bytes whether they are still the same."""

    def pin(self, uri: str, names: Sequence[str] = ()) -> Pin | None:
        """The id of what is at `uri` now (of the files `names`, else of all); None when the source has no ids."""

    def doubt(self, version: DataVersion) -> str | None:
        """Why the bytes of `version` may not be there any more, by pin and size alone; None when all is well."""

    def digests(self, version: DataVersion) -> tuple[DataFile, ...]:
        """The files of `version` as the source gives them now, every byte read; what is gone is left out."""


class DataCheck(Protocol):
    """A check of a data set that the team wrote itself."""

    name: str

    def run(self, root: Path, path: Path, version: DataVersion) -> CheckResult:
        """Check the table at `path`, the bytes of `version`; never raises for a tool that is missing or broken."""


class Trigger(Protocol):
    """Whoever starts the run of a change of data: this machine, or a CI."""

    def start(self, order: Order) -> Started:
        """Have the run of `order` started; the same order again gives the same run, not a second one.

        StartFailed says whether it may be tried again, Pending that it has to wait for something else.
        """
