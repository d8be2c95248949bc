"""One endpoint of SageMaker as it is now, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gatewright.domain.errors import WorldFailed
from gatewright.effects.aws import Refused, asking, is_absent
from gatewright.effects.failpoints import failpoint

_BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_DEAD = ("Failed", "OutOfService")  # UpdateRollbackFailed serves, with a mix of old and new
_UNSERVED = ("Creating", *_DEAD)
_INVALID = ("ValidationException", "ResourceInUse")
_DIGITS = 4  # SageMaker keeps weights in 32 bits: 99.9 comes back as 99.90000153


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A production variant: its weight as it is and as it was asked, and how many instances answer (None: untold)."""

    name: str
    weight: float
    desired: float
    instances: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The endpoint as it was described: status, configuration, variants, why it failed, and when it last changed.

    `at` is the moment by the clock of AWS; None when it did not say.
    """

    status: str
    config: str
    variants: tuple[Variant, ...]
    failure: str
    moved: datetime
    at: datetime | None = None

    @property
    def busy(self) -> bool:
        """Whether it works on something and takes no order."""
        return self.status in _BUSY

    @property
    def dead(self) -> bool:
        """Whether it serves nothing any more, and can only be deleted."""
        return self.status in _DEAD

    @property
    def serves(self) -> bool:
        """Whether its variants answer."""
        return self.status not in _UNSERVED

    def variant(self, name: str) -> Variant | None:
        """The variant with this name."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def share(self, name: str) -> float:
        """Per cent of the requests that the variant gets; 0 when there is none, or nothing serves."""
        whole = sum(variant.weight for variant in self.variants)
        found = self.variant(name)
        return round(100.0 * found.weight / whole, _DIGITS) if found and whole and self.serves else 0.0

    def divides(self, shares: Mapping[str, float]) -> bool:
        """Whether the variants that it has were asked for exactly these shares, in per cent, and have them.

        Both: of an order that SageMaker gave up the wish may be left, and nothing works on it any more.
        """
        asked = {each.name: each.desired for each in self.variants}
        given = {each.name: each.weight for each in self.variants}
        return _are(asked, shares) and _are(given, shares)


class Endpoint:
    """The endpoint `name`. Every failure is Refused or WorldFailed, with what was asked."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self.name = client, name

    def look(self) -> Seen | None:
        """What it is now; None when there is none."""
        try:
            with self._asked("look"):
                return _seen(self._client.describe_endpoint(EndpointName=self.name))
        except Refused as error:
            if is_absent(error):
                return None
            raise

    def create(self, config: str, tags: Mapping[str, str]) -> None:
        """Make it; somebody who was faster has made the same."""
        wanted = [{"Key": key, "Value": value} for key, value in tags.items()]
        with self._asked("create"), self._busy_is_fine():
            self._client.create_endpoint(EndpointName=self.name, EndpointConfigName=config, Tags=wanted)

    def update(self, config: str) -> None:
        """Have it take another configuration, counts and weights of the variants that stay kept as they are."""
        with self._asked("update"), self._busy_is_fine():
            self._client.update_endpoint(
                EndpointName=self.name, EndpointConfigName=config, RetainAllVariantProperties=True
            )

    def weigh(self, shares: Mapping[str, float]) -> None:
        """Ask for these weights of variants that it has."""
        wanted = [{"VariantName": name, "DesiredWeight": share} for name, share in shares.items()]
        with self._asked("weigh"), self._busy_is_fine():
            self._client.update_endpoint_weights_and_capacities(
                EndpointName=self.name, DesiredWeightsAndCapacities=wanted
            )

    def delete(self) -> None:
        """Take it away; nothing to do when it is gone."""
        try:
            with self._asked("delete"), self._busy_is_fine():
                self._client.delete_endpoint(EndpointName=self.name)
        except Refused as error:
            if not is_absent(error):
                raise

    @contextmanager
    def _busy_is_fine(self) -> Iterator[None]:
        """An order that came while it works on another one is lost, and given again at the next look."""
        from botocore.exceptions import ClientError

        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _INVALID:
                raise
            seen = self.look()
            if seen is None or not seen.busy:
                raise

    @contextmanager
    def _asked(self, verb: str) -> Iterator[None]:
        failpoint(f"before-http:sagemaker-endpoint-{verb}")
        with asking(f"the endpoint {self.name} ({verb})"):
            yield
        failpoint(f"after-http:sagemaker-endpoint-{verb}")


def _seen(found: Mapping[str, Any]) -> Seen:
    """WorldFailed when a weight is none."""
    variants = tuple(
        Variant(
            name=str(each["VariantName"]),
            weight=_weight(each, "CurrentWeight"),
            desired=_weight(each, "DesiredWeight"),
            instances=each.get("CurrentInstanceCount"),
        )
        for each in found.get("ProductionVariants") or ()
    )
    return Seen(
        status=str(found["EndpointStatus"]),
        config=str(found["EndpointConfigName"]),
        variants=variants,
        failure=str(found.get("FailureReason") or ""),
        moved=found["LastModifiedTime"],
        at=_told_at(found),
    )


def _are(weights: Mapping[str, float], shares: Mapping[str, float]) -> bool:
    whole = sum(weights.values())
    found = {name: round(100.0 * weight / whole, _DIGITS) if whole else 0.0 for name, weight in weights.items()}
    return all(abs(share - shares.get(name, 0.0)) < 10**-_DIGITS for name, share in found.items())


def _told_at(found: Mapping[str, Any]) -> datetime | None:
    try:
        return parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, TypeError, ValueError):
        return None


def _weight(variant: Mapping[str, Any], key: str) -> float:
    found = variant.get(key)
    weight = 0.0 if found is None else float(found)
    if not 0.0 <= weight < float("inf"):
        raise WorldFailed(
            f"variant {variant['VariantName']} has {key} {found}: that is no weight", fix="look at the endpoint in AWS"
        )
    return weight
