"""The in-toto statements of a run: one beside each hand-off, in `attestations/`, made from it alone."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewright.domain.documents import canonical_json, plain, sha256
from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.effects.files import write_atomic
from gatewright.effects.unfinished import sweep
from gatewright.rules.attestation import statement_of
from gatewright.store.runs import HANDOFFS, RunFolder

FOLDER = "attestations"


def attest(run: RunFolder) -> None:
    """Write the statement of every hand-off that is there; one that is right already is left alone.

    A hand-off that was edited gets no new one: `gatewright verify` tells of it, and the end of a run waits for nobody.
    """
    sweep(run.path / FOLDER)
    for name in HANDOFFS:
        with contextlib.suppress(UnusableInput):
            expected, path = statement(run, name), path_of(run, name)
            if expected is not None and (not path.is_file() or path.read_bytes() != expected):
                write_atomic(path, expected, called=FOLDER)


def check_statement(run: RunFolder, name: str, found: bytes) -> None:
    """DigestChanged when `found`, the statement about a hand-off, is not the one that it gives."""
    expected = statement(run, name)
    if expected is not None and found != expected:
        raise DigestChanged(
            f"{FOLDER}/{name}.json of run {run.id}",
            recorded=sha256(expected),
            found=sha256(found),
            fix="restore it: it is made from the hand-off of the same name",
        )


def statement(run: RunFolder, name: str) -> bytes | None:
    """The statement as canonical JSON; None without the hand-off, DigestChanged when that was edited."""
    handoff = run.read(name)
    if handoff is None:
        return None
    document: Mapping[str, Any] = plain(handoff)
    body = document["body"]
    envelope = {key: value for key, value in document.items() if key != "body"}
    return canonical_json(statement_of(name, {**body, **envelope}, run.digest(name)))


def path_of(run: RunFolder, name: str) -> Path:
    """Where the statement about `<name>.json` lies."""
    return run.path / FOLDER / f"{name}.json"
