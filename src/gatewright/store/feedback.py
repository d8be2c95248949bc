"""Labels that come late, joined by request id to the arm that answered and the block in which the request arrived.

What is joined stays as it is: a second label for a request is counted, never taken.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from gatewright.domain.errors import WorldFailed
from gatewright.domain.feedback import LABELS, PREDICTIONS, Label, Labelled, Prediction, Tally, chosen_row
from gatewright.effects.segments import Chunk, began, read_chunks, segments
from gatewright.store.database import Database
from gatewright.store.prediction_log import parse_label, parse_prediction

_CHUNK = 4 << 20
_LEARN = """
INSERT INTO requests (id, at, rollout, weight, arm, attempt, chosen, rows_n, prediction, user, slices, mirrored)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    copies = copies + (excluded.attempt = 1 AND attempt = 1), attempt = max(attempt, excluded.attempt)
"""
_FAIL = "INSERT OR IGNORE INTO failures (id, at, rollout, weight, arm, slices) VALUES (?, ?, ?, ?, ?, ?)"
_NEVER_ANSWERED = "NOT EXISTS (SELECT 1 FROM requests WHERE requests.id = failures.id AND attempt = 1)"
_COPIED = """
SELECT requests.prediction, copies.prediction FROM requests
LEFT JOIN copies ON copies.id = requests.id AND copies.arm = ? AND copies.rows_n = requests.rows_n
WHERE rollout = ? AND requests.arm = ? AND mirrored AND attempt = 1 AND requests.copies = 1
"""
# A request that was rescued, or whose id stands for several, is nobody's evidence.
_JOIN = """
INSERT OR IGNORE INTO joined (id, at, arrived, rollout, weight, arm, prediction, label, user, slices, reward)
SELECT labels.id, ?, requests.at, rollout, weight, arm, prediction, json_extract(label, '$[' || chosen || ']'), user,
    slices, reward
FROM labels JOIN requests ON requests.id = labels.id
WHERE attempt = 1 AND copies = 1 AND json_array_length(label) = rows_n AND labels.id IN ({ids})
"""
_FIELDS = "at, arrived, weight, arm, user, prediction, label, slices, reward"


class Sliced(NamedTuple):
    """A request that reached a model: when, under which weight, which arm, its slices, and whether the model failed."""

    at: float
    weight: float
    arm: str
    slices: tuple[str, ...]
    failed: bool


class Feedback:
    """Predictions and labels of one model, joined, in a database beside its prediction log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: Database | None = None

    @property
    def _database(self) -> Database:
        """Made only once it is needed: most commands never do."""
        if self._opened is None:
            self._opened = Database(self._folder / "joined.db", migrations="gatewright.store.feedback_migrations")
        return self._opened

    def catch_up(self, now: datetime, *, most: int | None = None) -> bool:
        """Take over what the model servers wrote since; False when more than `most` bytes of it are left.

        Segments that are gone take their requests and the labels of that time with them.
        """
        read = 0
        for prefix in (PREDICTIONS, LABELS):
            paths = segments(self._folder, prefix)
            try:
                for chunk in read_chunks(paths, self._positions(), most=_CHUNK):
                    with self._database.transaction("feedback") as connection:
                        self._take(connection, prefix, chunk, now.timestamp())
                    read += sum(map(len, chunk.lines))
                    if most is not None and read >= most:
                        return False
            except OSError as error:
                raise WorldFailed(
                    f"the prediction log cannot be read: {error.strerror}", fix=f"mend the rights of {self._folder}"
                ) from error
        self._forget()
        return True

    def put(self, labels: Sequence[Label], now: datetime) -> Tally:
        """Take over labels; what became of exactly these."""
        with self._database.transaction("feedback") as connection:
            return self._put(connection, labels, now.timestamp())

    def tally(self) -> Tally:
        """What became of all labels so far."""
        counts = {row["kind"]: row["count"] for row in self._database.rows("SELECT * FROM totals")}
        joined = self._database.rows("SELECT count(*) FROM joined")[0][0]
        known = self._database.rows("SELECT count(*) FROM labels JOIN requests ON requests.id = labels.id")[0][0]
        labels = self._database.rows("SELECT count(*) FROM labels")[0][0]
        return Tally(joined=joined, waiting=labels - known, unusable=known - joined, **counts)

    def labelled(self, rollout: str, *, after: float, before: float, beyond: int) -> tuple[list[Labelled], int]:
        """Joined labels of `rollout` that came in [after, before), or before that but with a number above `beyond`.

        Also the highest number that there is now.
        """
        rows = self._database.rows(
            f"SELECT {_FIELDS} FROM joined WHERE rollout = ? AND at < ? AND (at >= ? OR seq > ?)",
            (rollout, before, after, beyond),
        )
        return [_labelled(row) for row in rows], self._highest("joined")

    def labelled_of(self, arm: str, most: int) -> list[Labelled]:
        """The newest joined labels of what `arm` answered."""
        rows = self._database.rows(f"SELECT {_FIELDS} FROM joined WHERE arm = ? ORDER BY seq DESC LIMIT ?", (arm, most))
        return [_labelled(row) for row in rows]

    def answered(
        self, rollout: str, *, after: float, before: float, beyond: int
    ) -> tuple[list[tuple[float, float, str, float]], int]:
        """(arrival, weight, arm, prediction) of first tries of `rollout` arrived in [after, before), and of late ones.

        Late is what arrived before that but is written with a number above `beyond`. Also the highest number now.
        """
        columns = "SELECT at, weight, arm, prediction FROM requests WHERE rollout = ? AND attempt = 1 AND copies = 1"
        rows = self._database.rows(f"{columns} AND at >= ? AND at < ?", (rollout, after, before))
        rows += self._database.rows(f"{columns} AND seq > ? AND at < ?", (rollout, beyond, after))
        return [tuple(row) for row in rows], self._highest("requests")

    def copied(
        self, rollout: str, arms: tuple[str, str], *, after: float, before: float, beyond: int
    ) -> tuple[list[tuple[float, float | None]], int]:
        """What stable answered to requests of `rollout` that were copied, and the canary to the copy, None for nothing.

        `arms` are (canary, stable); the other arguments and the number are those of `answered`.
        """
        known = (arms[0], rollout, arms[1])
        rows = self._database.rows(f"{_COPIED} AND requests.at >= ? AND requests.at < ?", (*known, after, before))
        rows += self._database.rows(f"{_COPIED} AND seq > ? AND requests.at < ?", (*known, beyond, after))
        return [(row[0], row[1]) for row in rows], self._highest("requests")

    def outputs_of(self, arm: str, most: int) -> list[tuple[float, str]]:
        """The newest predictions of `arm`, and who asked for them."""
        sql = "SELECT prediction, user FROM requests WHERE arm = ? AND attempt = 1 ORDER BY seq DESC LIMIT ?"
        return [(row["prediction"], row["user"]) for row in self._database.rows(sql, (arm, most))]

    def sliced(
        self, rollout: str, *, after: float, before: float, beyond: tuple[int, int]
    ) -> tuple[list[Sliced], tuple[int, int]]:
        """First tries of `rollout` whose slices are known, answered and failed; which ones as in `answered`.

        `beyond` and what comes back with them are two numbers: of answers, and of failures.
        """
        answered = "SELECT at, weight, arm, slices, 0 FROM requests WHERE attempt = 1 AND copies = 1 AND slices <> ''"
        failed = f"SELECT at, weight, arm, slices, 1 FROM failures WHERE {_NEVER_ANSWERED}"
        rows: list[sqlite3.Row] = []
        for sql, number in zip((answered, failed), beyond, strict=True):
            mine = f"{sql} AND rollout = ?"
            rows += self._database.rows(f"{mine} AND at >= ? AND at < ?", (rollout, after, before))
            rows += self._database.rows(f"{mine} AND seq > ? AND at < ?", (rollout, number, after))
        found = [Sliced(at, weight, arm, _names(slices), bool(bad)) for at, weight, arm, slices, bad in rows]
        return found, (self._highest("requests"), self._highest("failures"))

    def slices_of(self, arm: str, most: int) -> list[tuple[str, ...]]:
        """The slices of the newest answers of `arm`, where they are known."""
        sql = "SELECT slices FROM requests WHERE arm = ? AND attempt = 1 AND slices <> '' ORDER BY seq DESC LIMIT ?"
        return [_names(row["slices"]) for row in self._database.rows(sql, (arm, most))]

    def close(self) -> None:
        """Close the database, if it was opened."""
        if self._opened is not None:
            self._opened.close()

    def _highest(self, table: str) -> int:
        return int(self._database.rows(f"SELECT coalesce(max(seq), 0) FROM {table}")[0][0])

    def _positions(self) -> dict[str, int]:
        return {row["name"]: row["position"] for row in self._database.rows("SELECT * FROM segments")}

    def _take(self, connection: sqlite3.Connection, prefix: str, chunk: Chunk, now: float) -> None:
        """One chunk with its position, in one transaction; nothing if another process was faster."""
        row = connection.execute("SELECT position FROM segments WHERE name = ?", (chunk.segment,)).fetchone()
        start = chunk.end - sum(len(line) + 1 for line in chunk.lines)
        if (row["position"] if row else 0) != start:
            return
        if prefix == PREDICTIONS:
            known = (prediction for line in chunk.lines if (prediction := parse_prediction(line)))
            found = [prediction for prediction in known if not prediction.of_tester]
            asked = [prediction for prediction in found if not prediction.is_copy]
            answered = [prediction for prediction in asked if prediction.outputs]
            connection.executemany(_LEARN, [_row(prediction) for prediction in answered])
            connection.executemany(_FAIL, [_failure(each) for each in asked if not each.outputs and each.attempt == 1])
            copies = [_copy(prediction) for prediction in found if prediction.is_copy and prediction.outputs]
            connection.executemany("INSERT OR IGNORE INTO copies VALUES (?, ?, ?, ?, ?)", copies)
            _join(connection, [prediction.id for prediction in answered], now)
        else:
            self._put(connection, [label for line in chunk.lines if (label := parse_label(line))], now)
        connection.execute("INSERT OR REPLACE INTO segments VALUES (?, ?)", (chunk.segment, chunk.end))

    def _put(self, connection: sqlite3.Connection, labels: Iterable[Label], now: float) -> Tally:
        counts = {"doubled": 0, "conflicting": 0}
        new: list[str] = []
        for label in labels:
            values = json.dumps(label.values)
            known = connection.execute("SELECT label, reward FROM labels WHERE id = ?", (label.id,)).fetchone()
            if known is not None:
                counts["doubled" if tuple(known) == (values, label.reward) else "conflicting"] += 1
                continue
            connection.execute(
                "INSERT INTO labels (id, at, label, reward) VALUES (?, ?, ?, ?)", (label.id, now, values, label.reward)
            )
            new.append(label.id)
        for kind, count in counts.items():
            connection.execute(
                "INSERT INTO totals VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET count = count + excluded.count",
                (kind, count),
            )
        joined = _join(connection, new, now)
        known = sum(
            connection.execute(f"SELECT count(*) FROM requests WHERE id IN ({_marks(part)})", part).fetchone()[0]
            for part in _parts(new)
        )
        return Tally(joined=joined, waiting=len(new) - known, unusable=known - joined, **counts)

    def _forget(self) -> None:
        """Follow the removal of old segments."""
        here = {path.name: began(path) for prefix in (PREDICTIONS, LABELS) for path in segments(self._folder, prefix)}
        gone = [name for name in self._positions() if name not in here]
        if not gone:
            return
        oldest = min((at for name, at in here.items() if name.startswith(PREDICTIONS)), default=0.0)
        with self._database.transaction("feedback-forget") as connection:
            connection.executemany("DELETE FROM segments WHERE name = ?", [(name,) for name in gone])
            for table in ("requests", "failures", "labels", "joined", "copies"):
                connection.execute(f"DELETE FROM {table} WHERE at < ?", (oldest,))


def _join(connection: sqlite3.Connection, ids: Sequence[str], now: float) -> int:
    return sum(connection.execute(_JOIN.format(ids=_marks(part)), (now, *part)).rowcount for part in _parts(list(ids)))


def _parts(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + 500] for start in range(0, len(ids), 500))


def _marks(ids: Sequence[str]) -> str:
    return ", ".join("?" * len(ids))


def _row(prediction: Prediction) -> tuple[Any, ...]:
    count = len(prediction.outputs)
    chosen = chosen_row(prediction.id, count)
    return (
        prediction.id,
        prediction.at,
        prediction.rollout,
        prediction.weight,
        prediction.arm,
        prediction.attempt,
        chosen,
        count,
        prediction.outputs[chosen],
        prediction.user,
        json.dumps(prediction.slices) if prediction.slices else "",
        prediction.mirrored,
    )


def _copy(prediction: Prediction) -> tuple[Any, ...]:
    count = len(prediction.outputs)
    output = prediction.outputs[chosen_row(prediction.id, count)]
    return (prediction.id, prediction.at, prediction.arm, count, output)


def _failure(prediction: Prediction) -> tuple[Any, ...]:
    return (
        prediction.id,
        prediction.at,
        prediction.rollout,
        prediction.weight,
        prediction.arm,
        json.dumps(prediction.slices),
    )


def _labelled(row: sqlite3.Row) -> Labelled:
    return Labelled(**{**dict(row), "slices": _names(row["slices"]), "reward": bool(row["reward"])})


def _names(slices: str) -> tuple[str, ...]:
    return tuple(json.loads(slices)) if slices else ()
