"""A run is a folder of JSON hand-offs; each carries its own digest and those of what it was made from."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gatewright.config.nodes import place_of
from gatewright.domain.documents import canonical_json, pretty_json, read_json, sha256
from gatewright.domain.errors import DigestChanged, Place, Problem, UnusableInput, WithProblems
from gatewright.effects.files import read_bytes, safe_join, write_atomic
from gatewright.effects.unfinished import sweep

LOCK, VALIDATION, CANDIDATE = "lock", "validation", "candidate"
REPORT, VERDICT, VERSION = "evaluation-report", "verdict", "version"
ROLLOUT, RECORD = "rollout", "deployment-record"
HANDOFFS = (LOCK, VALIDATION, CANDIDATE, REPORT, VERDICT, VERSION, ROLLOUT, RECORD)
_LIMIT = 16 << 20
_ENVELOPE = ("schema", "run", "stage", "inputs", "outputs", "started_at", "ended_at", "status", "digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """What a stage leaves for the next one: digests of its inputs and outputs, its status and its body."""

    run: str
    stage: str
    status: str
    started_at: datetime
    ended_at: datetime
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


Around = Callable[[str, str], AbstractContextManager[None]]
"""What stands around the writing of a hand-off, given the run and the name: others may have to hear of it."""


def _alone(run: str, name: str) -> AbstractContextManager[None]:
    return nullcontext()


class RunFolder:
    """The hand-offs of one run."""

    def __init__(self, path: Path, around: Around = _alone) -> None:
        self.path = path
        self.id = path.name
        self._around = around

    def write(self, name: str, handoff: Handoff) -> str:
        """Write `<name>.json` whole or not at all; returns its digest."""
        document = {
            "schema": _schema(name),
            "run": handoff.run,
            "stage": handoff.stage,
            "status": handoff.status,
            "started_at": handoff.started_at,
            "ended_at": handoff.ended_at,
            "inputs": handoff.inputs,
            "outputs": handoff.outputs,
            **handoff.body,
        }
        digest = sha256(canonical_json(document))
        with self._around(self.id, name):
            write_atomic(self.path / f"{name}.json", pretty_json({**document, "digest": digest}))
        return digest

    def read(self, name: str) -> Handoff | None:
        """The hand-off `<name>.json`, or None when it is not there; DigestChanged when it was edited."""
        path = self.path / f"{name}.json"
        if not path.exists():
            return None
        document = self._document(path)
        recorded = document.pop("digest", "none")
        found = sha256(canonical_json(document))
        if recorded != found:
            raise DigestChanged(str(path), recorded=recorded, found=found)
        if document.get("run") != self.id:
            raise UnusableInput(f"{path} belongs to run {document.get('run')!r}", fix="put back this run's own file")
        if document.get("schema") != _schema(name):
            raise UnusableInput(
                f"{path} is {document.get('schema')!r}, not {_schema(name)!r}", fix="put back this run's own file"
            )
        try:
            return _handoff(document)
        except (KeyError, TypeError, ValueError) as error:
            raise _no_handoff(Place(file=str(path)), f"{type(error).__name__}: {error}") from error

    def need(self, name: str, stage: str) -> Handoff:
        """The hand-off `<name>.json`; UnusableInput that names the stage to run first when it is not there."""
        handoff = self.read(name)
        if handoff is None:
            raise UnusableInput(
                f"run {self.id} has no {name}.json",
                fix=f"run the stage before: gatewright {stage} --run {self.id}",
            )
        return handoff

    def digest(self, name: str) -> str:
        """The digest that `<name>.json` carries and proves."""
        self.need(name, name)
        return str(self._document(self.path / f"{name}.json")["digest"])

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Work on this run alone; UnusableInput while another process works on it. A crash lets go by itself."""
        with (self.path / ".held").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UnusableInput(f"another process works on run {self.id}", fix="wait until it has ended") from error
            yield

    def held(self) -> bool:
        """Whether some process works on this run now."""
        try:
            with self.hold():
                return False
        except UnusableInput:
            return True

    def _document(self, path: Path) -> dict[str, Any]:
        data = read_bytes(path, _LIMIT)
        try:
            return read_json(data)
        except (ValueError, RecursionError) as error:
            raise _no_handoff(*_fault(error, data, path)) from error


class Runs:
    """All runs below `.gatewright/runs`."""

    def __init__(self, root: Path, around: Around = _alone) -> None:
        self.root = root
        self._around = around

    def create(self, run_id: str, *, again: bool = False) -> RunFolder:
        """A new, empty run folder; `again` allows for one that is there already.

        What was left in folders of runs that were never opened is swept away.
        """
        path = self.root / run_id
        for other in self.root.iterdir() if self.root.is_dir() else ():
            if not (other / f"{LOCK}.json").exists():
                sweep(other)
        path.mkdir(parents=True, exist_ok=again)
        return RunFolder(path, self._around)

    def find(self, run_id: str) -> RunFolder | None:
        """The run with this id, if it was opened."""
        path = safe_join(self.root, run_id)
        return RunFolder(path, self._around) if (path / f"{LOCK}.json").is_file() else None

    def get(self, run_id: str) -> RunFolder:
        """The run with this id; UnusableInput with the known ones when there is none."""
        path = safe_join(self.root, run_id)
        if not (path / f"{LOCK}.json").is_file():
            known = ", ".join(run.id for run in self.all()[-5:]) or "none yet"
            raise UnusableInput(f"there is no run {run_id!r}", fix=f"newest runs: {known}")
        return RunFolder(path, self._around)

    def all(self) -> tuple[RunFolder, ...]:
        """Every run that was opened, oldest first."""
        if not self.root.is_dir():
            return ()
        return tuple(
            RunFolder(path, self._around) for path in sorted(self.root.iterdir()) if (path / f"{LOCK}.json").is_file()
        )

    def open(self) -> tuple[RunFolder, ...]:
        """Runs that have not ended, oldest first."""
        return tuple(run for run in self.all() if not (run.path / f"{RECORD}.json").exists())


def _schema(name: str) -> str:
    return f"gatewright/{name}/1"


def _handoff(document: Mapping[str, Any]) -> Handoff:
    return Handoff(
        run=document["run"],
        stage=document["stage"],
        status=document["status"],
        started_at=datetime.fromisoformat(document["started_at"]),
        ended_at=datetime.fromisoformat(document["ended_at"]),
        inputs=document["inputs"],
        outputs=document["outputs"],
        body={key: value for key, value in document.items() if key not in _ENVELOPE},
    )


def _fault(error: ValueError | RecursionError, data: bytes, path: Path) -> tuple[Place, str]:
    """Where and why `data` is not the JSON of a hand-off."""
    match error:
        case json.JSONDecodeError():
            return Place(file=str(path), line=error.lineno, column=error.colno), f"not JSON: {error.msg}"
        case RecursionError():
            return place_of(data, str(path), ()), "nested too deeply"
        case UnicodeDecodeError():
            return place_of(data, str(path), ()), "the file is not UTF-8 text from here on"
    where = place_of(data, str(path), ())
    # The start of the file: nothing is wrong with it as YAML, to which NaN is a word.
    return Place(file=str(path)) if (where.line, where.column) == (1, 1) else where, str(error)


def _no_handoff(where: Place, what: str) -> WithProblems:
    problem = Problem(where=where, field="", what=what)
    return WithProblems(
        f"{Path(where.file).name} is not a hand-off", (problem,), fix="put back this run's own file, or start a new run"
    )
