"""The registry of SageMaker: a version for each digest, its bytes and evidence in S3, a tag for who serves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from annotated_types import MinLen, Predicate

from gatewright.adapters.registries.own_copy import own_copy, place_in_workspace
from gatewright.adapters.registries.sagemaker.objects import Objects, is_place
from gatewright.adapters.registries.sagemaker.packages import (
    APPROVED,
    REJECTED,
    Packages,
    version_of,
)
from gatewright.domain.duration import Duration
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.effects.aws import opened
from gatewright.effects.model_packages import digest_of, is_ours, number_of
from gatewright.ports import Context, Registration

PRODUCTION, PREVIOUS = "gatewright.production", "gatewright.previous"
_GROUP = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def group_name(text: str) -> bool:
    """Letters, digits and single hyphens inside, at most 63: people-model."""
    return _GROUP.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`store`: where models and documents lie, s3://BUCKET/FOLDER. `image`: the container that serves a version.

    `group`: the model package group, else the model's name. `region`: else the environment's. `timeout`: for an answer.
    """

    store: Annotated[str, Predicate(is_place)]
    image: Annotated[str, MinLen(1)]
    group: Annotated[str, Predicate(group_name)] | None = None
    region: Annotated[str, MinLen(1)] | None = None
    timeout: Duration = Duration(15.0)


class SagemakerRegistry:
    """Ports `DistantRegistry`, `CarriesModels` and `Attaching` on model package groups and S3."""

    distant: Literal[True] = True

    def __init__(self, options: Options, context: Context) -> None:
        self._options, self._context = options, context

    def register(self, registration: Registration) -> ModelVersion:
        """Upload model and evidence, prove them, then create the version; the same digest gives the one it has.

        Killed anywhere, the next call goes on: S3 holds what was uploaded, and a version appears only when all is
        there. Of versions that were created at once the lowest counts, for everybody.
        """
        candidate = registration.candidate
        packages = self._packages(candidate.model)
        found = packages.settle(candidate.model, candidate.artifact.digest)
        if found is None:
            self._create(packages, registration)
            found = packages.settle(candidate.model, candidate.artifact.digest)
            if found is None:
                raise WorldFailed(
                    f"the version of {candidate.artifact.digest} was created, and is not listed yet",
                    fix="resume in a moment: it is found then",
                )
        return self._version(found)

    def find(self, model: str, digest: str) -> ModelVersion | None:
        """The version of `model` with this artifact digest."""
        found = self._packages(model).of_digest(model, digest)
        return self._version(found[0]) if found else None

    def numbered(self, model: str, number: int) -> ModelVersion | None:
        """The version of `model` with this number; None also for one that Gatewright did not register."""
        packages = self._packages(model)
        found = packages.numbered(number)
        if found is None or not is_ours(found, model):
            return None
        first = packages.of_digest(model, digest_of(found))[:1]
        return self._version(found) if first and number_of(first[0]) == number else None

    def serving(self, model: str) -> ModelVersion | None:
        """The version that the tag `gatewright.production` of the group names; UnusableInput when it is not ours."""
        packages = self._packages(model)
        number = _number(packages.name, packages.tags())
        if number is None:
            return None
        found = packages.numbered(number)
        if found is None or not is_ours(found, model):
            raise UnusableInput(
                f"the tag {PRODUCTION} of {packages.name} names version {number}, which Gatewright did not register",
                fix="give it back to the version that serves, or remove it before the first deployment",
            )
        return self._version(found)

    def mark_serving(self, model: str, version: ModelVersion | None) -> None:
        """Approve the version, reject the one that loses its place to an older one, then move the tag.

        The tag comes last, so that whoever was killed before does all of it again. A version that a newer one has
        followed stays approved, and is named by the tag `gatewright.previous`.
        """
        packages = self._packages(model)
        tags = packages.tags()
        before = _number(packages.name, tags)
        if version is not None:
            wanted = packages.numbered(version.number)
            if wanted is None:
                raise WorldFailed(f"version {version.number} is gone from {packages.name}", fix="register it again")
            packages.set_status(wanted, APPROVED, f"run {version.run} passed its gates and its canary")
        newest = version.number if version else 0
        if before is not None and before > newest:
            self._withdraw(packages, model, before)
            if PREVIOUS in tags:
                packages.drop_tags(PREVIOUS)
        followed = before if before is not None and before < newest else None
        self._move(packages, before, version.number if version else None, followed)

    def keep(self, artifact: Artifact) -> None:
        """Nothing: a model that has not passed its gates stays with its run, which travels with the CI's jobs."""

    def bring(self, artifact: Artifact) -> None:
        """Lay a registered model at its uri, proven; UnusableInput when it was never registered."""
        model = self._context.model
        found = self._packages(model).of_digest(model, artifact.digest)
        if not found:
            raise UnusableInput(
                f"the model {artifact.digest} is neither here nor registered in SageMaker",
                fix="run where it was trained, or have the CI hand on .gatewright/runs",
            )
        registered = self._version(found[0]).artifact
        self._objects.lay_model(registered, self._context.root / artifact.uri)

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        """Keep `content` beside the evidence of the version, in place of an older one of that name."""
        self._objects.keep_document(f"{_evidence(version.artifact.digest, version.run)}/{name}", content)

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        """What lies there as `name`."""
        return self._objects.document(f"{_evidence(version.artifact.digest, version.run)}/{name}")

    def _create(self, packages: Packages, registration: Registration) -> None:
        artifact = registration.candidate.artifact
        local = own_copy(self._context.root, artifact)
        self._objects.keep_model(local, artifact)
        folder = _evidence(artifact.digest, registration.run)
        documents = {
            name: self._objects.keep_document(f"{folder}/{name}", data) for name, data in registration.documents.items()
        }
        packages.create_group()
        packages.create(
            registration,
            image=self._options.image,
            model_url=self._objects.model_url(artifact.digest),
            documents=documents,
        )

    def _move(self, packages: Packages, before: int | None, number: int | None, followed: int | None) -> None:
        """Have the tag name `number`, and the one for the version before name `followed`, if there is one."""
        if number is None:
            if before is not None:
                packages.drop_tags(PRODUCTION)
        elif number != before:
            told = {PRODUCTION: str(number)}
            packages.set_tags(told if followed is None else {**told, PREVIOUS: str(followed)})

    def _withdraw(self, packages: Packages, model: str, number: int) -> None:
        found = packages.numbered(number)
        if found is not None and is_ours(found, model):
            packages.set_status(found, REJECTED, "rolled back")

    def _version(self, found: dict[str, Any]) -> ModelVersion:
        return version_of(found, place_in_workspace(digest_of(found)))

    def _packages(self, model: str) -> Packages:
        name = self._options.group or model
        if not group_name(name):
            raise UnusableInput(
                f"{name!r} is no name of a model package group; allowed: letters, digits and hyphens, at most 63",
                fix="set registry.group in gatewright.yaml",
            )
        return Packages(self._client, name)

    @cached_property
    def _client(self) -> Any:
        """Opened when it is first needed: what only reads a workspace needs no AWS."""
        return opened("sagemaker", self._options.region, self._options.timeout.seconds)

    @cached_property
    def _objects(self) -> Objects:
        client = opened("s3", self._options.region, self._options.timeout.seconds)
        return Objects(client, self._options.store, self._context.root / ".gatewright" / "registry")


def _number(group: str, tags: Mapping[str, str]) -> int | None:
    """The version that serves; UnusableInput when the tag holds no number."""
    text = tags.get(PRODUCTION)
    if text is not None and not text.isdecimal():
        raise UnusableInput(
            f"the tag {PRODUCTION} of {group} holds {text!r}, which is no number of a version",
            fix="write the number of the version that serves there",
        )
    return int(text) if text is not None else None


def _evidence(digest: str, run: str) -> str:
    return f"evidence/{digest.removeprefix('sha256:')}/{run}"
