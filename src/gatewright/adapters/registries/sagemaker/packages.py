"""Versions in one model package group: of one digest there is one, the lowest number that carries it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from gatewright.domain.errors import WorldFailed
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.effects.aws import Refused, asking
from gatewright.effects.failpoints import failpoint
from gatewright.ports import Registration

MODEL, DIGEST, SIZE = "gatewright.model", "gatewright.model_digest", "gatewright.size"
DATA, REPORT, RUN, COMMIT = (
    "gatewright.data_digest",
    "gatewright.report_digest",
    "gatewright.run",
    "gatewright.commit",
)
APPROVED, REJECTED, PENDING = "Approved", "Rejected", "PendingManualApproval"
_PAGE = 100
# What one version takes (API reference, CreateModelPackage).
_MOST, _LONGEST_KEY, _LONGEST_VALUE = 50, 128, 256
_NO_KEY = re.compile(r"[^\w\s.:/=+\-@]")
_MISSING = ("ValidationException", "ResourceNotFound")
_TAKEN = ("ValidationException", "ConflictException", "ResourceInUse")
_ABSENT = ("does not exist", "not found", "could not find", "cannot find")


class Packages:
    """The group `name`. What Gatewright did not register is not seen, nor a second version of a digest."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self.name = client, name

    def create_group(self) -> None:
        """Make the group, unless there is one."""
        if self._group() is not None:
            return
        try:
            with self._asked("create"):
                self._client.create_model_package_group(
                    ModelPackageGroupName=self.name, ModelPackageGroupDescription="versions registered by Gatewright"
                )
        except Refused as error:
            if error.code not in _TAKEN or self._group() is None:
                raise

    def create(self, registration: Registration, *, image: str, model_url: str, documents: Mapping[str, str]) -> None:
        """A new version, complete with its digests in one step: none is ever without them."""
        candidate = registration.candidate
        quality = {
            kind: {"ContentType": "application/json", "S3Uri": documents[name]}
            for kind, name in (("Statistics", "evaluation-report.json"), ("Constraints", "verdict.json"))
            if name in documents
        }
        with self._asked("create-version"):
            self._client.create_model_package(
                ModelPackageGroupName=self.name,
                ModelPackageDescription=_description(candidate.model, candidate.artifact.digest),
                ModelApprovalStatus=PENDING,
                InferenceSpecification={
                    "Containers": [{"Image": image, "ModelDataUrl": model_url}],
                    "SupportedContentTypes": ["application/json"],
                    "SupportedResponseMIMETypes": ["application/json"],
                },
                MetadataProperties={
                    "CommitId": candidate.commit or "none",
                    "GeneratedBy": f"gatewright run {registration.run}",
                },
                CustomerMetadataProperties=properties_of(registration),
                **({"ModelMetrics": {"ModelQuality": quality}} if quality else {}),
            )

    def of_digest(self, model: str, digest: str) -> list[dict[str, Any]]:
        """Every version that carries this digest, the one that counts first."""
        wanted = _description(model, digest)
        found = [self._described(each) for each in self._listed() if each.get("ModelPackageDescription") == wanted]
        mine = [each for each in found if is_ours(each, model) and digest_of(each) == digest]
        return sorted(mine, key=number_of)

    def settle(self, model: str, digest: str) -> dict[str, Any] | None:
        """Of versions of one digest that processes created at once the lowest counts; the others are rejected."""
        found = self.of_digest(model, digest)
        for each in found[1:]:
            if each.get("ModelApprovalStatus") != REJECTED:
                self.set_status(each, REJECTED, f"the same model as version {number_of(found[0])}")
        return found[0] if found else None

    def numbered(self, number: int) -> dict[str, Any] | None:
        """The version with this number; None when there is none."""
        for each in self._listed():
            if each.get("ModelPackageVersion") == number:
                return self._described(each)
        return None

    def set_status(self, found: Mapping[str, Any], status: str, why: str) -> None:
        """Approve or reject a version, saying why; nothing to do when it is so already."""
        if found.get("ModelApprovalStatus") == status:
            return
        with self._asked("approve"):
            self._client.update_model_package(
                ModelPackageArn=found["ModelPackageArn"],
                ModelApprovalStatus=status,
                ApprovalDescription=why,
                CustomerMetadataProperties=dict(_properties(found)),
            )

    def tags(self) -> dict[str, str]:
        """The tags of the group; empty when there is no group."""
        group = self._group()
        if group is None:
            return {}
        with self._asked("tags"):
            pages = self._client.get_paginator("list_tags").paginate(ResourceArn=group)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Have the group carry these tags, all in one step."""
        group = self._group()
        with self._asked("tag"):
            self._client.add_tags(ResourceArn=group, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])

    def drop_tags(self, *keys: str) -> None:
        """Have the group carry none of these."""
        group = self._group()
        with self._asked("untag"):
            self._client.delete_tags(ResourceArn=group, TagKeys=list(keys))

    def _group(self) -> str | None:
        """The ARN of the group."""
        try:
            with self._asked("group"):
                return str(
                    self._client.describe_model_package_group(ModelPackageGroupName=self.name)["ModelPackageGroupArn"]
                )
        except Refused as error:
            if _is_absent(error):
                return None
            raise

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
            if not _is_absent(error):
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


def properties_of(registration: Registration) -> dict[str, str]:
    """What a version tells of itself: its digests first, then metrics and links as far as there is room."""
    candidate = registration.candidate
    told = {
        MODEL: candidate.model,
        DIGEST: candidate.artifact.digest,
        SIZE: str(candidate.artifact.size),
        DATA: registration.data_digest,
        REPORT: registration.report_digest,
        RUN: registration.run,
        **({COMMIT: candidate.commit} if candidate.commit else {}),
    }
    more = [(f"link/{name}", value) for name, value in registration.links.items()]
    more += [(f"data/{version.name}", f"{version.version} {version.digest}") for version in registration.data]
    more += [(f"metric/{name}", repr(float(value))) for name, value in sorted(registration.metrics.items())]
    for key, value in more:
        if len(told) < _MOST:
            told.setdefault(_NO_KEY.sub("_", key)[:_LONGEST_KEY], _NO_KEY.sub("_", value)[:_LONGEST_VALUE])
    return told


def is_ours(found: Mapping[str, Any], model: str) -> bool:
    """Whether Gatewright has registered it, as a version of `model`."""
    told = _properties(found)
    return told.get(MODEL) == model and DIGEST in told


def version_of(found: Mapping[str, Any], uri: str) -> ModelVersion:
    """A version as the engine knows it, its bytes expected at `uri`; WorldFailed when a property was taken away."""
    told = _properties(found)
    if missing := [key for key in (DATA, REPORT, RUN, SIZE) if key not in told]:
        raise WorldFailed(
            f"version {number_of(found)} of {found['ModelPackageGroupName']} has lost its property {missing[0]}",
            fix="restore it: gatewright verify names the digests of each deployment",
        )
    return ModelVersion(
        model=told[MODEL],
        number=number_of(found),
        artifact=Artifact(uri=uri, digest=told[DIGEST], size=int(told[SIZE])),
        data=told[DATA],
        commit=told.get(COMMIT, ""),
        report=told[REPORT],
        run=told[RUN],
        registered_at=found["CreationTime"].astimezone(UTC),
    )


def digest_of(found: Mapping[str, Any]) -> str:
    """The digest that the version carries."""
    return _properties(found)[DIGEST]


def number_of(found: Mapping[str, Any]) -> int:
    """The number of the version."""
    return int(found["ModelPackageVersion"])


def _description(model: str, digest: str) -> str:
    """In each summary, so that a digest is found without describing every version."""
    return f"{model} {digest}"


def _properties(found: Mapping[str, Any]) -> Mapping[str, str]:
    return found.get("CustomerMetadataProperties") or {}


def _is_absent(error: Refused) -> bool:
    return error.code in _MISSING and any(word in str(error).lower() for word in _ABSENT)
