"""Registered versions, and which of them serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from gatewright.domain.lineage import Artifact, Candidate, DataVersion, ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a registry needs to register a candidate, and what it may tell people about it.

    `documents` are kept beside the version by file name, `metrics` are finite numbers by name, `data` is what it was
    trained and judged on, `links` are words that lead further (a version, a commit), by name.
    """

    candidate: Candidate
    data_digest: str
    report_digest: str
    run: str
    documents: Mapping[str, bytes] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Sequence[DataVersion] = ()
    links: Mapping[str, str] = field(default_factory=dict)


class Registry(Protocol):
    """Registered versions and which of them serves production."""

    def register(self, registration: Registration) -> ModelVersion:
        """Store the model and number it; the same artifact digest gives the same version again."""

    def find(self, model: str, digest: str) -> ModelVersion | None:
        """The version of `model` with this artifact digest."""

    def numbered(self, model: str, number: int) -> ModelVersion | None:
        """The version of `model` with this number."""

    def serving(self, model: str) -> ModelVersion | None:
        """The baseline: the version that production serves; None before the first deployment."""

    def mark_serving(self, model: str, version: ModelVersion | None) -> None:
        """Make `version` the baseline of `model`; None takes back a first deployment that was rolled back."""


@runtime_checkable
class DistantRegistry(Registry, Protocol):
    """A registry beyond the state database: it may be slow, and no transaction holds it.

    What it is to be told is written down before, and it is told again until it says the same.
    """

    distant: Literal[True]


@runtime_checkable
class CarriesModels(Protocol):
    """A registry that also carries models between machines, by digest: what is kept can be had wherever it is asked."""

    def keep(self, artifact: Artifact) -> None:
        """Have the bytes at `artifact.uri` where every machine finds them; nothing to do when they are, or nowhere is.

        WorldFailed when they cannot be taken there.
        """

    def bring(self, artifact: Artifact) -> None:
        """Lay the bytes of `artifact` at its uri, proven; nothing to do when no other place is known.

        UnusableInput when they were never kept, DigestChanged when others are there.
        """


@runtime_checkable
class Attaching(Protocol):
    """A `Registry` that keeps files beside a version: its card, its signature, its proof.

    They are no part of the model, and its digest does not speak of them. A `name` may have folders: `a/b.json`.
    """

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        """Keep `content` as `name` with `version`, in place of an older one; the same again changes nothing.

        WorldFailed when it cannot be kept.
        """

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        """What is kept as `name` with `version`; None when nothing is. WorldFailed when it cannot be asked."""
