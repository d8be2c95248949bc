"""Why does this run start? What changed since the version that was promoted last."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.domain.documents import short


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What decides whether a run is new: data versions, code and configuration, each with its digest.

    `commit` is where the code was found; `code` is what it is, so that a commit of a data version is no change of code.
    """

    train: str
    train_digest: str
    evaluation: str
    evaluation_digest: str
    commit: str
    code: str
    config: str


def changes(before: Inputs | None, now: Inputs) -> tuple[str, ...]:
    """Each change in words, data first; empty when nothing changed."""
    if before is None:
        return ("first deployment: nothing was promoted before",)
    found = []
    if before.train_digest != now.train_digest:
        found.append(f"data: {before.train} → {now.train}")
    if before.evaluation_digest != now.evaluation_digest:
        found.append(f"evaluation data: {before.evaluation} → {now.evaluation}")
    if before.code != now.code:
        found.append(f"code: {_short(before.commit)} → {_short(now.commit)}")
    if before.config != now.config:
        found.append(f"configuration: {short(before.config)} → {short(now.config)}")
    return tuple(found)


def _short(commit: str) -> str:
    head, _, dirty = commit.partition("-")
    return head[:8] + (f"-{dirty}" if dirty else "")
