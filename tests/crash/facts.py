"""What is there after a crash test, read without Gatewright: the database, the files, the journal, the processes."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WHOLE = 10_000
TERMINAL = ("promoted", "restored", "rolled_back", "stopped", "aborted")

Row = dict[str, Any]


class Facts:
    """`end`: how the run has to end; None while it need not have ended yet."""

    def __init__(self, root: Path, outside: Path, end: str | None = None) -> None:
        self.root, self.state, self.end = root, root / ".gatewright", end
        self.journal: list[Row] = [json.loads(line) for line in (outside / "journal.jsonl").read_text().splitlines()]
        self.database = sqlite3.connect(self.state / "state.db", timeout=10)
        self.database.row_factory = sqlite3.Row
        self.audit = [
            {**json.loads(row["body"]), "commit": row["seq"], "kind": row["kind"], "deed": row["deed"]}
            for row in self.rows("SELECT * FROM audit ORDER BY seq")
        ]
        first = {row["run"] for row in self.rows("SELECT run FROM rollouts ORDER BY rowid LIMIT 1")}
        folders = sorted((self.state / "runs").iterdir())
        self.runs = [path for path in folders if path.name not in first and (path / "lock.json").exists()]
        """Folders of the runs that were opened, the first deployment left out."""
        self.rollouts: list[Row] = [
            {**json.loads(row["state"]), **row}
            for row in self.rows("SELECT * FROM rollouts WHERE run NOT IN (SELECT run FROM rollouts WHERE rowid = 1)")
        ]
        self.records: list[Row] = [
            {**json.loads(row["body"]), **row} for row in self.rows("SELECT * FROM records ORDER BY seq")
        ]
        self.canaries = {row["id"]: str(row["canary"]) for row in self.rollouts}
        self.shown = [line for line in self.journal if line["kind"] == "shown"]
        """Every table that the gateway took, in order; `audit`: how many changes were committed before."""

    def close(self) -> None:
        self.database.close()

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        return [dict(row) for row in self.database.execute(sql, parameters)]

    def changes(self, kind: str, *deeds: str) -> list[Row]:
        """What the database itself kept of one table, in the order of the commits."""
        return [row for row in self.audit if row["kind"] == kind and (not deeds or row["deed"] in deeds)]

    def handoff(self, run: Path, name: str) -> Row | None:
        """The hand-off, if it is there and can be read."""
        try:
            found: Row = json.loads((run / f"{name}.json").read_text())
        except (OSError, ValueError):
            return None
        return found

    def digest_of_version(self, number: int) -> str:
        (row,) = self.rows("SELECT digest FROM versions WHERE number = ?", number)
        return str(row["digest"])


def ended(root: Path) -> bool:
    """Whether a run after the first one has its terminal record."""
    connection = sqlite3.connect(root / ".gatewright" / "state.db", timeout=10)
    try:
        return bool(connection.execute("SELECT count(*) > 1 FROM records WHERE terminal = 1").fetchone()[0])
    finally:
        connection.close()


def processes_of(root: Path) -> list[tuple[int, str]]:
    """Processes other than this one that work in `root` or speak of it; zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            here = str((entry / "cwd").readlink()).startswith(str(root)) or str(root) in line
        except OSError:
            continue
        if here and line:
            found.append((int(entry.name), line.strip()[:200]))
    return found


def share(shares: Sequence[Sequence[Any]], digest: str) -> int:
    """Hundredths of a per cent that the model with this digest is given."""
    name = "model-" + digest.removeprefix("sha256:")[:12]
    return sum(int(part) for cluster, part in shares if cluster == name)


def canonical(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(document: Mapping[str, Any]) -> str:
    """Of a hand-off without the field that holds it."""
    content = {key: value for key, value in document.items() if key != "digest"}
    return "sha256:" + hashlib.sha256(canonical(content)).hexdigest()


def digest_of_folder(folder: Path) -> str:
    """Over the sorted lines `path size sha256` of its files."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    lines = sorted(
        f"{path.relative_to(folder).as_posix()} {path.stat().st_size} {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in files
    )
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
