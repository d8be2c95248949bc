"""A state database whose rows travel: a copy lies here, every change is offered elsewhere before it counts."""

from __future__ import annotations

import json
import math
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from gatewright.domain.documents import canonical_json, read_json
from gatewright.domain.errors import LeaseLost, StateMoved, UnusableInput
from gatewright.effects.files import write_atomic
from gatewright.store.database import BUSY_S, Database
from gatewright.store.runs import HANDOFFS, Runs
from gatewright.store.travelling import TRAVELLING, keys, lay, path_of, read_row, triggers, write_row

FORM = "gatewright/state/1"
ABOUT = "state.json"
_RUNS = "runs"
_PATIENCE_S = 120.0
_PAUSE_S = 0.05
_LONGEST_S = 2.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What has changed elsewhere: the new tip and its files by path (None: gone); `whole`: these are all there are."""

    tip: str
    files: Mapping[str, bytes | None]
    whole: bool


class Elsewhere(Protocol):
    """The place that all machines share: a set of files with one tip, replaced by compare-and-set."""

    @property
    def about(self) -> Mapping[str, str]:
        """Whose state it is; what another place says must not be laid here."""

    def news(self, since: str | None) -> News | None:
        """What differs from the tip `since`; None when nothing does. WorldFailed when it cannot be asked."""

    def offer(
        self, files: Mapping[str, bytes | None], *, since: str | None, message: str, kept: Callable[[str], bool]
    ) -> str | None:
        """The new tip if `since` still was the tip, else None. What is not `kept` may be left out of it."""


class SharedDatabase(Database):
    """The database at `path`, as one of many copies. `folder` holds the runs, whose hand-offs travel with the rows."""

    def __init__(
        self, path: Path, elsewhere: Elsewhere, folder: Path, *, keep: int = 20, busy_s: float = BUSY_S
    ) -> None:
        self._elsewhere: Elsewhere | None = None  # migrations stay here
        super().__init__(path, busy_s=busy_s)
        self._folder = folder
        self._keep = keep
        self._refreshed = -math.inf
        with super().transaction("state-begun") as connection:
            new = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'shared_tip'").fetchone() is None
            connection.execute("CREATE TABLE IF NOT EXISTS shared_tip (tip TEXT NOT NULL) STRICT")
            columns = "kind TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (kind, key)"
            connection.execute(f"CREATE TABLE IF NOT EXISTS unpushed ({columns}) STRICT")
            if new:
                self._note_all(connection)
        for trigger in triggers():
            self._connection.execute(trigger)
        self._elsewhere = elsewhere

    def refresh(self, *, older_than_s: float = 0.0) -> None:
        """Lay what others have changed. What this machine has noted and not offered stays, unless others changed it.

        Nobody is asked when that was done less than `older_than_s` seconds ago.
        """
        assert self._elsewhere is not None
        now = time.monotonic()
        if now - self._refreshed < older_than_s:
            return
        self._refreshed = now
        since = self._tip()
        news = self._elsewhere.news(since)
        if news is None:
            return
        with super().transaction("state-laid") as connection:
            if self._tip() != since:
                return  # another process of this machine has laid it, or more
            self._lay(connection, news)
            self._set_tip(connection, news.tip)

    def repeat(self, work: Callable[[], _T]) -> _T:
        """`work`, again and again on the newest state while others are faster; StateMoved after two minutes of that."""
        if self._connection.in_transaction:
            return work()
        deadline, pause_s = time.monotonic() + _PATIENCE_S, _PAUSE_S
        while True:
            try:
                return work()
            except StateMoved:
                if time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0, pause_s))
            pause_s = min(2 * pause_s, _LONGEST_S)
            self.refresh()

    @contextmanager
    def transaction(self, name: str, *, later: bool = False) -> Iterator[sqlite3.Connection]:
        """As before, and before it counts here it is taken elsewhere: StateMoved when somebody was faster there.

        `later`: it may wait for the next one that is not.
        """
        outermost = not self._connection.in_transaction
        with super().transaction(name, later=later) as connection:
            yield connection
            if outermost and not later and self._elsewhere is not None:
                self._offer(connection, name)

    @contextmanager
    def handing_over(self, run: str, name: str) -> Iterator[None]:
        """Around the writing of a hand-off: noted before, offered after. LeaseLost when another machine did it, too."""
        key = canonical_json([run, name]).decode()
        with self.transaction(f"handoff-{name}", later=True) as connection:
            connection.execute("INSERT OR IGNORE INTO unpushed (kind, key) VALUES (?, ?)", (_RUNS, key))
        yield
        self.repeat(lambda: self._hand_over(run, name, key))

    def _hand_over(self, run: str, name: str, key: str) -> None:
        with self.transaction(f"handoff-{name}") as connection:
            if connection.execute("SELECT 1 FROM unpushed WHERE kind = ? AND key = ?", (_RUNS, key)).fetchone():
                return
        raise LeaseLost(
            f"another machine works on run {run}: its {name}.json is not the one written here",
            fix="let it finish: gatewright runs show",
        )

    def _offer(self, connection: sqlite3.Connection, name: str) -> None:
        assert self._elsewhere is not None
        noted = [(row["kind"], json.loads(row["key"])) for row in connection.execute("SELECT kind, key FROM unpushed")]
        if not noted:
            return
        files = dict(self._file(connection, kind, key) for kind, key in noted)
        since = self._tip()
        about = canonical_json({"form": FORM, "schema": self._schema(), **self._elsewhere.about}) + b"\n"
        tip = self._elsewhere.offer({**files, ABOUT: about}, since=since, message=name, kept=self._kept(connection))
        if tip is None:
            raise StateMoved(
                "somebody else has changed the shared state at the same moment", fix="nothing was changed; try again"
            )
        connection.execute("DELETE FROM unpushed")
        self._set_tip(connection, tip)

    def _file(self, connection: sqlite3.Connection, kind: str, key: list[object]) -> tuple[str, bytes | None]:
        if kind != _RUNS:
            return path_of(kind, key), write_row(connection, kind, key)
        file = self._folder / str(key[0]) / f"{key[1]}.json"
        return path_of(kind, key), file.read_bytes() if file.is_file() else None

    def _lay(self, connection: sqlite3.Connection, news: News) -> None:
        files = dict(news.files)
        if (about := files.pop(ABOUT, None)) is not None:
            self._check(about)
        rows = [read_row(path, data) for path, data in files.items() if not path.startswith(f"{_RUNS}/")]
        taken = set(files)
        for path, data in files.items():
            if path.startswith(f"{_RUNS}/") and data is not None:
                self._lay_handoff(path, data)
        known = connection.execute("SELECT kind, key FROM unpushed").fetchall()
        lay(connection, rows, whole=news.whole)
        # What was laid has been noted, too: only what others did not touch is still ours to offer.
        connection.execute("DELETE FROM unpushed")
        for kind, key in known:
            ours = path_of(kind, json.loads(key)) not in taken and (not news.whole or kind == _RUNS)
            if ours:
                connection.execute("INSERT INTO unpushed (kind, key) VALUES (?, ?)", (kind, key))

    def _lay_handoff(self, path: str, data: bytes) -> None:
        run, name = _handoff_of(path)
        file = self._folder / run / f"{name}.json"
        if not file.is_file() or file.read_bytes() != data:
            write_atomic(file, data)

    def _check(self, about: bytes) -> None:
        assert self._elsewhere is not None
        found = read_json(about)
        if found.get("form") != FORM or int(found.get("schema", 0)) > self._schema():
            raise UnusableInput("the shared state was written by a newer Gatewright", fix="use that version here")
        for name, ours in self._elsewhere.about.items():
            if found.get(name) != ours:
                raise UnusableInput(
                    f"the shared state is that of another workspace: {name} {found.get(name)!r} instead of {ours!r}",
                    fix="give each workspace of a repository a ref of its own: state.ref",
                )

    def _kept(self, connection: sqlite3.Connection) -> Callable[[str], bool]:
        """Whether a file still has to travel: hand-offs and looks only of open runs, and of those that ended last."""
        ended = "SELECT run FROM records WHERE terminal = 1 ORDER BY seq DESC"
        old = {row["run"] for row in connection.execute(ended).fetchall()[self._keep :]}
        kept_ids = {row["id"] for row in connection.execute("SELECT id, run FROM rollouts") if row["run"] not in old}

        def kept(path: str) -> bool:
            kind, _, rest = path.partition("/")
            first = rest.partition("/")[0]
            return first not in old if kind == _RUNS else first in kept_ids if kind == "ticks" else True

        return kept

    def _note_all(self, connection: sqlite3.Connection) -> None:
        """What this machine had before it was one of many, old looks and hand-offs left out."""
        kept = self._kept(connection)
        noted = [(table, list(key)) for table in TRAVELLING for key in keys(connection, table)]
        for run in Runs(self._folder).all():
            noted += [(_RUNS, [run.id, name]) for name in HANDOFFS if (run.path / f"{name}.json").is_file()]
        rows = [(kind, canonical_json(key).decode()) for kind, key in noted if kept(path_of(kind, key))]
        connection.executemany("INSERT INTO unpushed (kind, key) VALUES (?, ?)", rows)

    def _schema(self) -> int:
        return int(self.rows("PRAGMA user_version")[0][0])

    def _tip(self) -> str | None:
        row = self.row("SELECT tip FROM shared_tip")
        return str(row["tip"]) if row else None

    def _set_tip(self, connection: sqlite3.Connection, tip: str) -> None:
        connection.execute("DELETE FROM shared_tip")
        connection.execute("INSERT INTO shared_tip (tip) VALUES (?)", (tip,))


def _handoff_of(path: str) -> tuple[str, str]:
    """Run and name of a hand-off's file; UnusableInput for a path that is none."""
    parts = path.removesuffix(".json").split("/")
    plain = len(parts) == 3 and parts[2] in HANDOFFS and all(part.replace("-", "").isalnum() for part in parts[1:])
    if not plain:
        raise UnusableInput(f"{path} in the shared state is no hand-off", fix="is it the right ref?")
    return parts[1], parts[2]
