"""Versions in one model package group of SageMaker as they are read: of one digest there is one, the lowest number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gatewright.effects.aws import Refused, asking, is_absent
from gatewright.effects.failpoints import failpoint

MODEL, DIGEST = "gatewright.model", "gatewright.model_digest"
_PAGE = 100


class PackageGroup:
    """The group `name`. What Gatewright did not register is not seen, nor a second version of a digest."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self.name = client, name

    def of_digest(self, model: str, digest: str) -> list[dict[str, Any]]:
        """Every version that carries this digest, the one that counts first."""
        wanted = description(model, digest)
        found = [self._described(each) for each in self._listed() if each.get("ModelPackageDescription") == wanted]
        mine = [each for each in found if is_ours(each, model) and digest_of(each) == digest]
        return sorted(mine, key=number_of)

    def numbered(self, number: int) -> dict[str, Any] | None:
        """The version with this number; None when there is none."""
        for each in self._listed():
            if each.get("ModelPackageVersion") == number:
                return self._described(each)
        return None

    def _listed(self) -> list[dict[str, Any]]:
        """A summary of every version, from the newest."""
        try:
            with self._asked("list"):
                pages = self._client.get_paginator("list_model_packages").paginate(
                    ModelPackageGroupName=self.name,
                    SortBy="CreationTime",
                    SortOrder="Descending",
                    PaginationConfig={"PageSize": _PAGE},
                )
                found = [each for page in pages for each in page["ModelPackageSummaryList"]]
        except Refused as error:
            if not is_absent(error):
                raise
            return []
        return found

    def _described(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        with self._asked("describe"):
            found: dict[str, Any] = self._client.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
            return {**found, "ModelPackageVersion": int(found["ModelPackageVersion"])}

    @contextmanager
    def _asked(self, verb: str) -> Iterator[None]:
        failpoint(f"before-http:sagemaker-{verb}")
        with asking(f"the model package group {self.name} ({verb})"):
            yield
        failpoint(f"after-http:sagemaker-{verb}")


def is_ours(found: Mapping[str, Any], model: str) -> bool:
    """Whether Gatewright has registered it, as a version of `model`."""
    told = properties(found)
    return told.get(MODEL) == model and DIGEST in told


def digest_of(found: Mapping[str, Any]) -> str:
    """The digest that the version carries."""
    return properties(found)[DIGEST]


def number_of(found: Mapping[str, Any]) -> int:
    """The number of the version."""
    return int(found["ModelPackageVersion"])


def description(model: str, digest: str) -> str:
    """In each summary, so that a digest is found without describing every version."""
    return f"{model} {digest}"


def properties(found: Mapping[str, Any]) -> Mapping[str, str]:
    """What the version tells of itself."""
    return found.get("CustomerMetadataProperties") or {}
