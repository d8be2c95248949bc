"""The registry on an MLflow tracking server: versions by digest, their evidence beside them, aliases for who serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from gatewright.adapters.registries.mlflow.artifacts import (
    Place,
    download,
    keep_file,
    place_of,
    read_file,
    upload,
)
from gatewright.adapters.registries.mlflow.credentials import Credentials, address_of
from gatewright.adapters.registries.mlflow.tracking import TrackedRun, Tracking, version_tags
from gatewright.adapters.registries.mlflow.versions import Versions, digest_of, is_ours, version_of
from gatewright.adapters.registries.mlflow.wire import Wire
from gatewright.adapters.registries.own_copy import own_copy, place_in_workspace
from gatewright.domain.duration import Duration
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.effects.files import safe_join
from gatewright.effects.unfinished import unfinished_folder
from gatewright.ports import Context, Registration

PRODUCTION, PREVIOUS, CANDIDATE = "production", "previous", "candidate"
_MODEL, _EVIDENCE, _ATTACHED = "model", "gatewright", "attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`tracking_uri`: the server, else MLFLOW_TRACKING_URI. `name`: of the registered model, else the model's own.

    `experiment`: where its runs are logged. `timeout`: how long an answer is waited for, bytes four times as long.
    """

    tracking_uri: Annotated[str, MinLen(1)] | None = None
    name: Annotated[str, MinLen(1)] | None = None
    experiment: Annotated[str, MinLen(1)] = "gatewright"
    timeout: Duration = Duration(15.0)


class MlflowRegistry:
    """Ports `DistantRegistry`, `CarriesModels` and `Attaching` on the REST interface of MLflow."""

    distant: Literal[True] = True

    def __init__(self, options: Options, context: Context) -> None:
        self._options, self._context = options, context
        self._state = context.root / ".gatewright"
        self._opened: Wire | None = None

    def register(self, registration: Registration) -> ModelVersion:
        """Upload model and evidence, prove them, then create the version; the same digest gives the one it has.

        Killed anywhere, the next call goes on: a run holds what was uploaded, and a version appears only when all is
        there. Of versions that were created at once the lowest stays, for everybody.
        """
        candidate = registration.candidate
        versions = self._versions(candidate.model)
        found = versions.settle(candidate.model, candidate.artifact.digest)
        if found is None:
            found = self._create(versions, registration)
        version = self._version(found)
        self._tracking.finish(self._tracking.of(found["run_id"]), self._context.clock.now())
        aliases = versions.aliases()
        if version.number not in (aliases.get(CANDIDATE), aliases.get(PRODUCTION)):
            versions.set_alias(CANDIDATE, version.number)
        return version

    def find(self, model: str, digest: str) -> ModelVersion | None:
        """The version of `model` with this artifact digest."""
        found = self._versions(model).of_digest(model, digest)
        return self._version(found[0]) if found else None

    def numbered(self, model: str, number: int) -> ModelVersion | None:
        """The version of `model` with this number; None also for one that Gatewright did not register."""
        versions = self._versions(model)
        found = versions.numbered(number)
        if found is None or not is_ours(found, model):
            return None
        first = versions.of_digest(model, digest_of(found))[:1]
        return self._version(found) if first and int(first[0]["version"]) == number else None

    def serving(self, model: str) -> ModelVersion | None:
        """The version that the alias `production` names; UnusableInput when somebody else's version has it."""
        versions = self._versions(model)
        number = versions.aliases().get(PRODUCTION)
        found = versions.numbered(number) if number is not None else None
        if found is None:
            return None
        if not is_ours(found, model):
            raise UnusableInput(
                f"the alias {PRODUCTION} of {versions.name} names version {number}, which Gatewright did not register",
                fix="give it back to the version that serves, or remove it before the first deployment",
            )
        return self._version(found)

    def mark_serving(self, model: str, version: ModelVersion | None) -> None:
        """Move the alias `production`, and have `previous` name what it named; a return leaves no `previous`."""
        versions = self._versions(model)
        aliases = versions.aliases()
        before = aliases.get(PRODUCTION)
        if version is None:
            if before is not None:
                versions.drop_alias(PRODUCTION)
            return
        if before == version.number:
            return
        if aliases.get(PREVIOUS) == version.number:
            versions.drop_alias(PREVIOUS)
        elif before is not None:
            versions.set_alias(PREVIOUS, before)
        versions.set_alias(PRODUCTION, version.number)
        if aliases.get(CANDIDATE) == version.number:
            versions.drop_alias(CANDIDATE)

    def keep(self, artifact: Artifact) -> None:
        """Nothing: a model that has not passed its gates stays with its run, which travels with the CI's jobs."""

    def bring(self, artifact: Artifact) -> None:
        """Lay a registered model at its uri, proven; UnusableInput when it was never registered."""
        found = self._versions(self._context.model).of_digest(self._context.model, artifact.digest)
        if not found:
            raise UnusableInput(
                f"the model {artifact.digest} is neither here nor registered at {self._wire.name}",
                fix="run where it was trained, or have the CI hand on .gatewright/runs",
            )
        run = self._tracking.of(found[0]["run_id"])
        place = place_of(self._wire, run.artifacts)
        download(place, _MODEL, self._context.root / artifact.uri, artifact.digest)

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        """Keep it in the folder `attached` of the version's run, read back."""
        keep_file(self._beside(version), f"{_ATTACHED}/{name}", content, self._state / "registry")

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        """What lies in that folder as `name`."""
        return read_file(self._beside(version), f"{_ATTACHED}/{name}", self._state / "registry")

    def _beside(self, version: ModelVersion) -> Place:
        """Where the run of a version keeps its files."""
        found = self._versions(version.model).numbered(version.number)
        if found is None:
            raise WorldFailed(f"version {version.number} is gone from {self._wire.name}", fix="register it again")
        return place_of(self._wire, self._tracking.of(found["run_id"]).artifacts)

    def _create(self, versions: Versions, registration: Registration) -> dict[str, Any]:
        candidate, tracking = registration.candidate, self._tracking
        artifact = candidate.artifact
        run = tracking.begin(registration, versions.name, self._context.clock.now())
        local = own_copy(self._context.root, artifact)
        self._upload(run, registration, local)
        tracking.describe(run, registration)
        versions.create_model()
        versions.create(f"{run.artifacts}/{_MODEL}", run.id, version_tags(registration))
        found = versions.settle(candidate.model, artifact.digest)
        assert found is not None
        if found["run_id"] != run.id:
            tracking.discard(run)
        return found

    def _upload(self, run: TrackedRun, registration: Registration, model: Path) -> None:
        place, scratch = place_of(self._wire, run.artifacts), self._state / "registry"
        upload(place, _MODEL, model, scratch)
        with unfinished_folder(scratch / "evidence") as evidence:
            for name, data in registration.documents.items():
                safe_join(evidence, name).write_bytes(data)
            upload(place, _EVIDENCE, evidence, scratch)

    def _version(self, found: dict[str, Any]) -> ModelVersion:
        return version_of(found, place_in_workspace(digest_of(found)))

    def _versions(self, model: str) -> Versions:
        return Versions(self._wire, self._options.name or model)

    @property
    def _tracking(self) -> Tracking:
        return Tracking(self._wire, self._options.experiment)

    @property
    def _wire(self) -> Wire:
        """Looked up when it is first needed: what only reads a workspace needs no server."""
        if self._opened is None:
            address = address_of(self._options.tracking_uri)
            self._opened = Wire(address, Credentials.of(), self._context.clock, self._options.timeout.seconds)
        return self._opened
