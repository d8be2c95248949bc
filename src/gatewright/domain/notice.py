"""What people are told of a rollout, outside of the terminal of whoever drives it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

NoticeKind = Literal[
    "approval",
    "paused",
    "rolling_back",
    "rolled_back",
    "promoted",
    "restored",
    "blind",
    "weight",
    "stable",
    "registry",
    "progress",
]
NOTICE_KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)
QUIET_KINDS: tuple[NoticeKind, ...] = ("progress",)
"""Told only to who asks for them by name: nobody has to do anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event of one rollout. It may be told twice, with the same `id`; `text` says it in one line for people.

    `commit` is that of the run that made the version, as its lock has it; empty where it is not known.
    """

    id: str
    at: datetime
    kind: NoticeKind
    model: str
    rollout: str
    run: str
    version: int
    phase: str
    weight: float
    why: str
    actor: str
    text: str
    commit: str = ""
