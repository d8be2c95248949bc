"""Versions in one model package group as they are written: complete with their digests, approved, rejected, tagged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from gatewright.domain.errors import WorldFailed
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.effects.aws import Refused, is_absent
from gatewright.effects.model_packages import (
    DIGEST,
    MODEL,
    PackageGroup,
    description,
    number_of,
    properties,
)
from gatewright.ports import Registration

SIZE = "gatewright.size"
DATA, REPORT, RUN, COMMIT = (
    "gatewright.data_digest",
    "gatewright.report_digest",
    "gatewright.run",
    "gatewright.commit",
)
APPROVED, REJECTED, PENDING = "Approved", "Rejected", "PendingManualApproval"
# What one version takes (API reference, CreateModelPackage).
_MOST, _LONGEST_KEY, _LONGEST_VALUE = 50, 128, 256
_NO_KEY = re.compile(r"[^\w\s.:/=+\-@]")
_TAKEN = ("ValidationException", "ConflictException", "ResourceInUse")


class Packages(PackageGroup):
    """The group `name` as the registry writes it."""

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
                ModelPackageDescription=description(candidate.model, candidate.artifact.digest),
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

    def settle(self, model: str, digest: str) -> dict[str, Any] | None:
        """Of versions of one digest that processes created at once the lowest counts; the others are rejected."""
        found = self.of_digest(model, digest)
        for each in found[1:]:
            if each.get("ModelApprovalStatus") != REJECTED:
                self.set_status(each, REJECTED, f"the same model as version {number_of(found[0])}")
        return found[0] if found else None

    def set_status(self, found: Mapping[str, Any], status: str, why: str) -> None:
        """Approve or reject a version, saying why; nothing to do when it is so already."""
        if found.get("ModelApprovalStatus") == status:
            return
        with self._asked("approve"):
            self._client.update_model_package(
                ModelPackageArn=found["ModelPackageArn"],
                ModelApprovalStatus=status,
                ApprovalDescription=why,
                CustomerMetadataProperties=dict(properties(found)),
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
            if is_absent(error):
                return None
            raise


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


def version_of(found: Mapping[str, Any], uri: str) -> ModelVersion:
    """A version as the engine knows it, its bytes expected at `uri`; WorldFailed when a property was taken away."""
    told = properties(found)
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
