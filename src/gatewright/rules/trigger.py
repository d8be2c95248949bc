"""What a run is made from, which stage reads what of it, and what of it is the same as in another run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What decides whether a run is new, each with its digest; empty where a run of an earlier version did not tell.

    `commit` is where the code was found; `code` is what it is, without configuration, schema file and data. The `_rows`
    are what the data says, whatever its layout. `training` are the sections of the configuration that describe training
    and evaluation; `tools` are interpreter, packages and the program that trains.
    """

    train: str
    train_digest: str
    evaluation: str
    evaluation_digest: str
    commit: str
    code: str
    config: str
    train_rows: str = ""
    evaluation_rows: str = ""
    schema: str = ""
    training: str = ""
    tools: str = ""


NAMES = {
    "train_rows": "data",
    "evaluation_rows": "evaluation data",
    "code": "code",
    "schema": "schema file",
    "config": "configuration",
    "training": "configuration of training",
    "tools": "tools",
}
"""The inputs whose digests are compared, by their names for people."""
ALL = ("train_rows", "evaluation_rows", "code", "schema", "config", "training", "tools")
READS: dict[str, tuple[str, ...]] = {
    "validate": ("train_rows", "evaluation_rows", "code", "schema", "config", "tools"),
    "train": ("train_rows", "code", "schema", "training", "tools"),
    "evaluate": ("evaluation_rows", "code", "schema", "config", "tools"),
    "gate": ("evaluation_rows", "config"),
}
"""What each stage reads besides the hand-offs of the stages before it. Nobody can tell which files a training command
opens: it reads all code."""


def differing(before: Inputs, now: Inputs, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `names` that are not proven the same: another digest, or one that nobody recorded."""
    return tuple(name for name in names if not getattr(now, name) or getattr(before, name) != getattr(now, name))
