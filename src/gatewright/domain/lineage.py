"""What was made from what: DataVersion → Candidate → ModelVersion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["train", "eval", "holdout", "reference", "traffic"]
ROLES: tuple[Role, ...] = ("train", "eval", "holdout", "reference", "traffic")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One file of a data version: its path below the version's uri, its size in bytes and its sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDigest:
    """The rows of a table, whatever their layout, as 32 hex digits; `unlabelled` leaves the label column out."""

    rows: str
    unlabelled: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """How many rows (each as often as it occurs) only the newer of two tables holds, and how many only the older."""

    added: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataVersion:
    """An immutable version of a data set, as its pointer file in git describes it.

    `digest` is `sha256:<hex>` over the sorted lines `path size sha256` of its files. `schema` maps column to type.
    `data_to` is the moment up to which the data speaks; the age of the version counts from it. `row_digest` is missing
    in versions that were added before there was one.
    """

    name: str
    version: str
    role: Role
    kind: str
    uri: str
    digest: str
    files: tuple[DataFile, ...]
    schema: Mapping[str, str]
    fingerprint: str
    rows: int
    created_at: datetime
    data_from: datetime
    data_to: datetime
    created_by: str
    parent: str | None = None
    change: Mapping[str, Any] = field(default_factory=dict)
    stats: Mapping[str, Any] = field(default_factory=dict)
    labels: str | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)
    pin: str | None = None
    immutable: bool = False
    row_digest: RowDigest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The bytes of a model: a folder, its digest (as of a data version's files) and its size in bytes.

    `uri` is relative to the workspace, so that a run can move with it.
    """

    uri: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trained model that no gate has passed yet."""

    model: str
    artifact: Artifact
    data: str
    commit: str
    params: Mapping[str, Any]
    trained_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A registered model. The *baseline* is the ModelVersion that serves now; None on the first day."""

    model: str
    number: int
    artifact: Artifact
    data: str
    commit: str
    report: str
    run: str
    registered_at: datetime
