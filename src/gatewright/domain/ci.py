"""The section `ci:` of gatewright.yaml: where and when the pipeline runs, on which machines, with which credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

Text = Annotated[str, MinLen(1)]
Words = Annotated[tuple[Text, ...], MinLen(1)]
Minutes = Annotated[int, Ge(1)]
NEVER = "none"
"""What a schedule, an image or a Python version says when it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CiJob:
    """A job of the team's own before stage validate: an argv list, run from the root of the repository."""

    name: Text
    run: Words
    runner: Literal["default", "train", "deploy"] = "default"
    timeout: Minutes = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CiRunners:
    """Labels (GitHub, Jenkins) or tags (GitLab) of the machines.

    `deploy` is the machine that holds the state and the live traffic; `train` is `default` unless it is said. With
    `state: {kind: local}` every stage runs on `deploy`.
    """

    default: tuple[Text, ...] = ()
    train: tuple[Text, ...] = ()
    deploy: Words = ("self-hosted", "gatewright")


@dataclass(frozen=True, slots=True, kw_only=True)
class CiSchedule:
    """Cron expressions in UTC of what runs without a push; `none` leaves one out."""

    tick: Text = "*/15 * * * *"
    watch: Text = "17 * * * *"
    refresh: Text = "23 5 * * 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CiEnvironments:
    """Protected environments; `stages` guards the secrets of the stages before the canary, if there are any.

    `approval`: somebody has to allow the canary. GitLab and Jenkins ask by themselves, GitHub where the environment
    names its reviewers.
    """

    stages: Text = "gatewright"
    canary: Text = "production-canary"
    rollout: Text = "production"
    approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsIdentity:
    """A role of AWS that trusts the identity of the CI job (OIDC)."""

    role: Text
    region: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpIdentity:
    """A service account of Google Cloud, and the workload identity provider that knows the CI (OIDC)."""

    provider: Text
    service_account: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureIdentity:
    """An application of Microsoft Entra with a federated credential for the CI (OIDC). None of the ids is secret."""

    client: Text
    tenant: Text
    subscription: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CiCredentials:
    """Identities by OIDC, which leave no secret behind, and names of secrets that become environment variables."""

    aws: AwsIdentity | None = None
    gcp: GcpIdentity | None = None
    azure: AzureIdentity | None = None
    secrets: tuple[Text, ...] = ()

    @property
    def clouds(self) -> tuple[str, ...]:
        """The clouds that are asked by OIDC."""
        return tuple(name for name in ("aws", "gcp", "azure") if getattr(self, name) is not None)

    @property
    def any(self) -> bool:
        """Whether a job has to be trusted with something."""
        return bool(self.clouds or self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class CiTimeouts:
    """Minutes after which a job is ended by its CI."""

    validate: Minutes = 30
    train: Minutes = 300
    evaluate: Minutes = 60
    register: Minutes = 15
    canary: Minutes = 30
    tick: Minutes = 15
    watch: Minutes = 30
    refresh: Minutes = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CiSection:
    """The pipeline as `gatewright ci generate` writes it.

    `paths` start it, beside gatewright.yaml and the schema file. `after` names jobs of the team's that it waits for.
    `install` are argv lists, run in every job before its stage. `last` is the last stage that it has; `jobs`: none,
    only the team's own jobs.
    """

    branch: Text = "main"
    paths: Words = ("models/**", "training/**", "data/versions/**")
    after: tuple[Text, ...] = ()
    jobs: tuple[CiJob, ...] = ()
    python: Text = "3.12"
    install: tuple[Words, ...] = (("pip", "install", "--require-hashes", "-r", "requirements.txt"),)
    image: Text = NEVER
    runners: CiRunners = CiRunners()
    last: Literal["jobs", "gate", "register", "rollout"] = "rollout"
    schedule: CiSchedule = CiSchedule()
    environments: CiEnvironments = CiEnvironments()
    credentials: CiCredentials = CiCredentials()
    cache: bool = True
    pull_requests: bool = True
    timeouts: CiTimeouts = CiTimeouts()
