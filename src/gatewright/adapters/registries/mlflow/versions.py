"""Versions of one registered model: of one digest there is one, the lowest number that carries it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from gatewright.adapters.registries.mlflow.tracking import (
    COMMIT,
    DATA,
    DIGEST,
    MODEL,
    REPORT,
    RUN,
    SIZE,
    pairs,
    quoted,
)
from gatewright.adapters.registries.mlflow.wire import Refused, Wire
from gatewright.domain.errors import WorldFailed
from gatewright.domain.lineage import Artifact, ModelVersion

_EXISTS, _MISSING = "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"
_PAGE = 200


class Versions:
    """The registered model `name`. What Gatewright did not register is not seen, nor a second version of a digest."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire, self.name = wire, name

    def create_model(self) -> None:
        """Make the registered model, unless there is one."""
        try:
            self._wire.post("registered-models/create", {"name": self.name})
        except Refused as error:
            if error.code != _EXISTS:
                raise

    def create(self, source: str, run_id: str, tags: Mapping[str, str]) -> None:
        """A new version, complete with its tags in one step: none is ever without its digest."""
        told = {"name": self.name, "source": source, "run_id": run_id, "tags": pairs(tags)}
        self._wire.post("model-versions/create", told)

    def of_digest(self, model: str, digest: str) -> list[dict[str, Any]]:
        """Every version that carries this digest, the one that counts first."""
        words = {"name": self.name}
        clauses = [f"{key} = {quoted(value)}" for key, value in words.items()]
        clauses.append(f"tags.`{DIGEST}` = {quoted(digest)}")
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            page = {"page_token": token} if token else {}
            answer = self._wire.get("model-versions/search", filter=" and ".join(clauses), max_results=_PAGE, **page)
            found += answer.get("model_versions", [])
            token = answer.get("next_page_token", "")
            if not token:
                break
        mine = [each for each in found if _tags_of(each).get(MODEL) == model]
        return sorted(mine, key=lambda each: int(each["version"]))

    def settle(self, model: str, digest: str) -> dict[str, Any] | None:
        """Of versions of one digest that processes created at once, keep the lowest; it is the same one for all.

        A number is given after the lower ones are there for everybody, so whoever looks after it created sees them.
        """
        found = self.of_digest(model, digest)
        for each in found[1:]:
            self.delete(each["version"])
        return found[0] if found else None

    def numbered(self, number: int) -> dict[str, Any] | None:
        """The version with this number; None when there is none."""
        return self._asked("model-versions/get", "model_version", version=number)

    def aliases(self) -> dict[str, int]:
        """Which version each alias names."""
        found = self._asked("registered-models/get", "registered_model") or {}
        return {each["alias"]: int(each["version"]) for each in found.get("aliases", [])}

    def set_alias(self, alias: str, number: int) -> None:
        """Have `alias` name this version from now on."""
        self._wire.post("registered-models/alias", {"name": self.name, "alias": alias, "version": str(number)})

    def drop_alias(self, alias: str) -> None:
        """Have `alias` name nothing."""
        self._wire.post("registered-models/alias", {"name": self.name, "alias": alias}, verb="DELETE")

    def delete(self, number: str | int) -> None:
        """Delete a version; gone already is fine."""
        try:
            self._wire.post("model-versions/delete", {"name": self.name, "version": str(number)}, verb="DELETE")
        except Refused as error:
            if error.code != _MISSING:
                raise

    def _asked(self, endpoint: str, what: str, **words: str | int) -> dict[str, Any] | None:
        try:
            found = self._wire.get(endpoint, name=self.name, **words).get(what)
        except Refused as error:
            if error.code == _MISSING:
                return None
            raise
        return found if isinstance(found, dict) else None


def is_ours(found: Mapping[str, Any], model: str) -> bool:
    """Whether Gatewright has registered it, as a version of `model`."""
    tags = _tags_of(found)
    return tags.get(MODEL) == model and DIGEST in tags


def version_of(found: Mapping[str, Any], uri: str) -> ModelVersion:
    """A version as the engine knows it, its bytes expected at `uri`; WorldFailed when a tag was taken away."""
    tags = _tags_of(found)
    if missing := [tag for tag in (DATA, COMMIT, REPORT, RUN, SIZE) if tag not in tags]:
        raise WorldFailed(
            f"version {found['version']} of {found['name']} has lost its tag {missing[0]}",
            fix="restore the tag, as the run of the version has it",
        )
    return ModelVersion(
        model=tags[MODEL],
        number=int(found["version"]),
        artifact=Artifact(uri=uri, digest=tags[DIGEST], size=int(tags[SIZE])),
        data=tags[DATA],
        commit=tags[COMMIT],
        report=tags[REPORT],
        run=tags[RUN],
        registered_at=datetime.fromtimestamp(int(found["creation_timestamp"]) / 1000, UTC),
    )


def digest_of(found: Mapping[str, Any]) -> str:
    """The digest that the version carries."""
    return _tags_of(found)[DIGEST]


def _tags_of(found: Mapping[str, Any]) -> dict[str, str]:
    entries: Iterable[Mapping[str, str]] = found.get("tags") or ()
    return {each["key"]: each.get("value", "") for each in entries}
