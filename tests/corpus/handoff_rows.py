"""Bad input, the list of reports, for the hand-offs of a run (`gatewright gate --run RUN`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatewright.domain.evaluation import Latency
from gatewright.domain.project import EvaluationSection, FairnessSection
from gatewright.rules.evaluation import evaluate
from gatewright.rules.summary import summary
from gatewright.store.runs import CANDIDATE, REPORT, Handoff, RunFolder
from tests.fixtures.toy import people

LISTED = (
    "NaN",
    "missing metric",
    "half-written",
    "duplicate key",
    "digest of another model",
    "digest of another run",
    "number as string or bool",
    "1e999",
    "50 MB",
)
FILE = f"{REPORT}.json"
CANDIDATE_DIGEST = "sha256:" + "a" * 64
Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadHandoff:
    """`damage` is done to a run whose hand-offs are fine."""

    name: str
    damage: Callable[[RunFolder], object]
    says: str


def write_handoffs(run: RunFolder) -> None:
    """What the stages train and evaluate would have left, as far as the gate reads it."""
    lock = run.need("lock", "validate").body
    _write(run, CANDIDATE, {"candidate": {"artifact": {"digest": CANDIDATE_DIGEST}}})
    rows = people(60).rename({"employed": "label"}).with_columns(candidate="label").select("id", "label", "candidate")
    report = evaluate(
        rows,
        EvaluationSection(label="employed"),
        FairnessSection(),
        model="toy",
        task="binary",
        candidate_digest=CANDIDATE_DIGEST,
        baseline_digest=None,
        evaluation_digest=lock["evaluation"]["digest"],
        candidate_latency=Latency(p50_ms=1, p99_ms=2, p99_upper_ms=3, samples=300),
    )
    _write(run, REPORT, {**summary(report, min_rows=1), "warnings": []})


def _write(run: RunFolder, name: str, body: Body, of: str | None = None) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    handoff = Handoff(run=of or run.id, stage="x", status="passed", started_at=at, ended_at=at, body=body)
    run.write(name, replace(handoff, outputs={"predictions": "sha256:0"}))


def bytes_of(change: Callable[[bytes], bytes]) -> Callable[[RunFolder], object]:
    """The file is changed, so its digest no longer fits."""

    def damage(run: RunFolder) -> None:
        path = Path(run.path / FILE)
        path.write_bytes(change(path.read_bytes()))

    return damage


def replaced(old: bytes, new: bytes) -> Callable[[RunFolder], object]:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return bytes_of(change)


def body_of(**changes: Any) -> Callable[[RunFolder], object]:
    """The file is written again with its digest, as somebody would who means it."""

    def damage(run: RunFolder) -> None:
        body = json.loads(json.dumps(run.need(REPORT, "evaluate").body))
        counts = changes.pop("overall", None)
        if counts is not None:
            body["evidence"]["overall"].update(counts)
        _write(run, REPORT, {**body, **changes})

    return damage


ROWS = (
    BadHandoff(name="NaN", damage=replaced(b'"rows": 60', b'"rows": NaN'), says=f"{FILE}: NaN is not a number"),
    BadHandoff(
        name="missing metric",
        damage=body_of(evidence={}),
        says=f"{FILE}: evidence.overall: is missing",
    ),
    BadHandoff(name="half-written", damage=bytes_of(lambda data: data[:300]), says=f"{FILE}:"),
    BadHandoff(name="half-written", damage=bytes_of(lambda _: b""), says=f"{FILE}:1:1: not JSON: Expecting value"),
    BadHandoff(name="half-written", damage=bytes_of(lambda _: b"[" * 10_000), says=f"{FILE}:1:51: nested too deeply"),
    BadHandoff(
        name="duplicate key",
        damage=replaced(b'"stage"', b'"run": "x",\n  "stage"'),
        says=f"{FILE}:4:3: the key 'run' stands twice",
    ),
    BadHandoff(
        name="digest of another model",
        damage=body_of(candidate_digest="sha256:" + "b" * 64),
        says="the candidate of the report changed: recorded sha256:aaaa",
    ),
    BadHandoff(
        name="digest of another model",
        damage=body_of(evaluation_digest="sha256:" + "b" * 64),
        says="the evaluation set of the report changed: recorded sha256:",
    ),
    BadHandoff(
        name="digest of another model",
        damage=replaced(b"aaaaaaaa", b"baaaaaaa"),
        says=f"{FILE} changed: recorded sha256:",
    ),
    BadHandoff(
        name="digest of another run",
        damage=lambda run: _write(run, REPORT, dict(run.need(REPORT, "evaluate").body), of="another"),
        says=f"{FILE} belongs to run 'another'",
    ),
    BadHandoff(
        name="number as string or bool",
        damage=body_of(overall={"rows": "60"}),
        says=f'{FILE}: evidence.overall.rows: is "60": Input should be a valid integer',
    ),
    BadHandoff(
        name="number as string or bool",
        damage=body_of(overall={"cells": [True, 60]}),
        says=f"{FILE}: evidence.overall.cells.0: is true: Input should be a valid integer",
    ),
    BadHandoff(
        name="1e999",
        damage=replaced(b'"rows": 60', b'"rows": 1e999'),
        says=f"{FILE}: 1e999 is too large for a number",
    ),
    BadHandoff(
        name="50 MB",
        damage=bytes_of(lambda data: data + b" " * (50 << 20)),
        says="bytes large, at most 16,777,216 are read",
    ),
)
