"""I5 to I7 and I10: what lies on the disk, and in the chain of records."""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.crash.facts import (
    WHOLE,
    Facts,
    Row,
    canonical,
    digest_of,
    digest_of_folder,
    processes_of,
    share,
)
from tests.crash.schema import misfits

HANDOFFS = (
    "lock", "validation", "candidate", "evaluation-report", "verdict", "version", "rollout", "deployment-record",
)  # fmt: skip
GENESIS = "sha256:" + "0" * 64
SCHEMAS = Path(__file__).resolve().parents[2] / "docs"


def versions_rest_on_reports(facts: Facts) -> Iterator[str]:
    """I5: no version without a passed verdict on a verified report of the same bytes; at most one per run.

    And none is marked as serving before the gateway has shown that it does.
    """
    made = facts.changes("versions", "INSERT")
    for version in made:
        yield from _unfounded(facts, version)
    if len({version["run"] for version in made}) != len(made):
        yield f"one run has registered {len(made)} versions"
    for change in facts.changes("serving", "INSERT", "UPDATE"):
        digest = facts.digest_of_version(change["number"])
        before = [line for line in facts.shown if line["audit"] < change["commit"]]
        if digest in facts.canaries.values() and not any(share(line["shares"], digest) >= WHOLE - 1 for line in before):
            yield f"the registry is told that {digest} serves before the gateway has shown that"


def _unfounded(facts: Facts, version: Row) -> Iterator[str]:
    run, name = facts.state / "runs" / version["run"], f"version {version['number']}"
    report, verdict, candidate = (facts.handoff(run, part) for part in ("evaluation-report", "verdict", "candidate"))
    if report is None or verdict is None or candidate is None:
        yield f"{name} is registered without candidate, report or verdict"
        return
    if version["report_digest"] != digest_of(report):
        yield f"{name} names report {version['report_digest']}, the report is {digest_of(report)}"
    if verdict["status"] != "passed" or verdict["inputs"]["evaluation-report.json"] != digest_of(report):
        yield f"{name} is registered on a verdict that says {verdict['status']}, or of another report"
    listed, trained = digest_of_folder(facts.root / version["uri"]), candidate["candidate"]["artifact"]["digest"]
    if {listed, trained, report["candidate_digest"], verdict["artifact"]} != {version["digest"]}:
        yield f"{name} is {version['digest']}, its bytes {listed}, what was trained {trained}"


def events_are_kept(facts: Facts) -> Iterator[str]:
    """I6: every committed event is still there, the chain of digests holds, every change of phase has its record."""
    previous = GENESIS
    for expected, row in enumerate(facts.rows("SELECT * FROM records ORDER BY seq"), start=1):
        body = json.loads(row["body"])
        if (row["seq"], body["seq"]) != (expected, expected):
            yield f"record {row['seq']} stands where {expected} should"
        digest = "sha256:" + hashlib.sha256(previous.encode() + canonical(body)).hexdigest()
        if (row["previous"], row["digest"]) != (previous, digest):
            yield f"record {expected} does not continue the chain"
        previous = row["digest"]
    kept = {record["digest"] for record in facts.records}
    for change in facts.changes("records"):
        if change["deed"] != "INSERT" or change["digest"] not in kept:
            yield f"record {change['seq']} was committed and is gone or changed"
    yield from _silent_changes(facts)


def _silent_changes(facts: Facts) -> Iterator[str]:
    """Between a change of phase or step and the next change of any rollout there must be a record of it."""
    known: dict[str, tuple[str, int]] = {}
    waiting: Row | None = None
    for change in [*facts.audit, {"kind": "rollouts", "id": "", "phase": "", "state": '{"step": 0}'}]:
        if change["kind"] == "records" and waiting and json.loads(change["body"])["rollout"] == waiting["id"]:
            waiting = None
        if change["kind"] != "rollouts":
            continue
        if waiting is not None:
            yield f"rollout {waiting['id']} came to {known[waiting['id']]} without a record"
        state = (change["phase"], json.loads(change["state"])["step"])
        waiting = change if known.get(change["id"]) != state else None
        known[change["id"]] = state
        if change["id"] == "" or change["id"] not in facts.canaries:
            waiting = None


def reports_are_whole(facts: Facts) -> Iterator[str]:
    """I7: every hand-off parses, proves its digest and fits its schema, or is absent."""
    for run in facts.runs:
        for name in HANDOFFS:
            if (path := run / f"{name}.json").exists():
                yield from (f"{name}.json of {run.name} {text}" for text in _faults(path, name, run.name))


def _faults(path: Path, name: str, run: str) -> Iterator[str]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        yield f"is no JSON: {error}"
        return
    if document.get("digest") != digest_of(document):
        yield "does not prove its digest"
    if (document.get("run"), document.get("schema")) != (run, f"gatewright/{name}/1"):
        yield f"says that it is {document.get('schema')} of {document.get('run')}"
    schema = SCHEMAS / f"{name}.schema.json"
    if schema.exists():
        yield from (f"does not fit its schema: {text}" for text in misfits(json.loads(schema.read_text()), document))


def nothing_is_left(facts: Facts) -> Iterator[str]:
    """I10: no process, no temporary file and no lock is left of what was killed."""
    for pid, line in processes_of(facts.root):
        yield f"process {pid} is left: {line}"
    for path in sorted(facts.root.rglob("*")):
        if path.name == ".held":
            yield from _held(path)
        elif path.name.endswith((".tmp", "-journal")) or (path.name.startswith(".") and path != facts.state):
            yield f"{path.relative_to(facts.root)} is left"
    try:
        facts.database.execute("BEGIN IMMEDIATE")
        facts.database.rollback()
    except sqlite3.OperationalError as error:
        yield f"the state database cannot be written: {error}"


def _held(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield f"{path} is locked"
