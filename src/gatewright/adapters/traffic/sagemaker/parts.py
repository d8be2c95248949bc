"""What an endpoint is made of: a model of SageMaker for each arm, and the configuration that names its variants.

Neither can be changed once it is made, so each has a name of what it holds; making it twice makes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatewright.adapters.traffic.sagemaker.options import Options
from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.errors import WorldFailed
from gatewright.domain.routing import cluster_name
from gatewright.effects.aws import Refused, asking, is_absent
from gatewright.effects.failpoints import failpoint
from gatewright.effects.model_packages import PackageGroup

_TAKEN = ("ValidationException", "ResourceInUse", "ConflictException")
_KEPT = ("DataCaptureConfig", "KmsKeyId", "ExplainerConfig", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")
_PREFIX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What serves a version: the image, and where the archive of its bytes lies."""

    image: str
    model_url: str


class Parts:
    """Models and endpoint configurations of the endpoint `name`."""

    def __init__(self, client: Any, options: Options, name: str, tags: Mapping[str, str]) -> None:
        self._client, self._options, self._name = client, options, name
        self._tags = [{"Key": key, "Value": value} for key, value in {**options.tags, **tags}.items()]
        self._containers: dict[str, Container] = {}
        self._proven: dict[tuple[str, str], bool] = {}
        self._configs: dict[str, Mapping[str, Any]] = {}  # none of them ever changes

    def variant(self, digest: str, weight: float, packages: PackageGroup, model: str) -> dict[str, Any]:
        """The variant of a registered version, its model made. WorldFailed when the version is not registered."""
        options = self._options
        started = {}
        if options.startup is not None:
            seconds = int(options.startup.seconds)
            started = {
                "ModelDataDownloadTimeoutInSeconds": seconds,
                "ContainerStartupHealthCheckTimeoutInSeconds": seconds,
            }
        return {
            "VariantName": cluster_name(digest),
            "ModelName": self._model(digest, packages, model),
            "InitialInstanceCount": options.instances,
            "InstanceType": options.instance_type,
            "InitialVariantWeight": weight,
            **started,
        }

    def variants_of(self, config: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The variants of a configuration as they were asked for, and what else it says that is to be kept."""
        found = self._config(config)
        return list(found["ProductionVariants"]), {key: found[key] for key in _KEPT if found.get(key)}

    def configure(self, purpose: str, variants: Sequence[Mapping[str, Any]], more: Mapping[str, Any]) -> str:
        """The name of a configuration with these variants, made unless it is there; one of its own for each purpose."""
        wanted = {"ProductionVariants": list(variants), **more}
        if self._options.kms_key and "KmsKeyId" not in wanted:
            wanted["KmsKeyId"] = self._options.kms_key
        name = self.config_name(purpose, [str(each["VariantName"]) for each in variants])
        with self._asked("config"), self._there_is_fine(lambda: self.made_at(name) is not None):
            self._client.create_endpoint_config(EndpointConfigName=name, Tags=self._tags, **wanted)
        return name

    def config_name(self, purpose: str, variants: Sequence[str]) -> str:
        """The name that `configure` gives."""
        return f"{self._name[:_PREFIX]}-{_mark([purpose, *sorted(variants)])}"

    def made_at(self, config: str) -> datetime | None:
        """When the configuration was made; None when there is none."""
        try:
            made: datetime = self._config(config)["CreationTime"]
            return made
        except Refused as error:
            if is_absent(error):
                return None
            raise

    def proven(self, config: str, digest: str, packages: PackageGroup, model: str) -> bool:
        """Whether the variant of this digest runs the bytes that are registered under it; looked up once."""
        key = (config, digest)
        if key not in self._proven:
            variants, _ = self.variants_of(config)
            names = [each["ModelName"] for each in variants if each["VariantName"] == cluster_name(digest)]
            container = self._container(digest, packages, model)
            self._proven[key] = bool(names) and self._runs(names[0]) == container
        return self._proven[key]

    def _config(self, name: str) -> Mapping[str, Any]:
        if name not in self._configs:
            with self._asked("config-look"):
                found = self._client.describe_endpoint_config(EndpointConfigName=name)
                self._configs[name] = {key: found[key] for key in ("ProductionVariants", "CreationTime")} | found
        return self._configs[name]

    def _model(self, digest: str, packages: PackageGroup, model: str) -> str:
        options, container = self._options, self._container(digest, packages, model)
        primary: dict[str, Any] = {"Image": container.image, "ModelDataUrl": container.model_url}
        if options.environment:
            primary["Environment"] = dict(options.environment)
        wanted: dict[str, Any] = {"PrimaryContainer": primary, "ExecutionRoleArn": options.role}
        if options.subnets:
            wanted["VpcConfig"] = {"Subnets": [*options.subnets], "SecurityGroupIds": [*options.security_groups]}
        name = f"{self._name[:_PREFIX]}-{_mark([digest, wanted])}"
        with self._asked("model"), self._there_is_fine(lambda: self._runs(name) == container):
            self._client.create_model(ModelName=name, Tags=self._tags, **wanted)
        return name

    def _container(self, digest: str, packages: PackageGroup, model: str) -> Container:
        if digest not in self._containers:
            found = packages.of_digest(model, digest)
            if not found:
                raise WorldFailed(
                    f"{digest} is not registered in {packages.name}", fix="register it first: gatewright register"
                )
            with asking(f"the version of {digest}"):
                first = found[0]["InferenceSpecification"]["Containers"][0]
                self._containers[digest] = Container(image=first["Image"], model_url=first["ModelDataUrl"])
        return self._containers[digest]

    def _runs(self, name: str) -> Container | None:
        """What this model of SageMaker runs; None when there is none of that name."""
        try:
            with self._asked("model-look"):
                primary = self._client.describe_model(ModelName=name)["PrimaryContainer"]
                return Container(image=primary["Image"], model_url=primary["ModelDataUrl"])
        except Refused as error:
            if is_absent(error):
                return None
            raise

    @contextmanager
    def _there_is_fine(self, there: Callable[[], bool]) -> Iterator[None]:
        """Who was refused because it is there already has made it before, or somebody else has."""
        from botocore.exceptions import ClientError

        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _TAKEN or not there():
                raise

    @contextmanager
    def _asked(self, verb: str) -> Iterator[None]:
        failpoint(f"before-http:sagemaker-{verb}")
        with asking(f"the parts of endpoint {self._name} ({verb})"):
            yield
        failpoint(f"after-http:sagemaker-{verb}")


def _mark(content: Any) -> str:
    return sha256(canonical_json(content)).removeprefix("sha256:")[:16]
