"""What is installed here: registries, ways of serving, kinds of evidence, of telling and of starting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gatewright.adapters.forges.github_notices import Options as GithubNoticesOptions
from gatewright.adapters.forges.gitlab_notices import Options as GitlabNoticesOptions
from gatewright.adapters.metrics.access_log import Options as AccessLogOptions
from gatewright.adapters.metrics.cloudwatch import Options as CloudWatchOptions
from gatewright.adapters.metrics.envoy_stats import Options as EnvoyStatsOptions
from gatewright.adapters.metrics.prometheus import Options as PrometheusOptions
from gatewright.adapters.notifiers.command import Options as CommandOptions
from gatewright.adapters.notifiers.webhook import Options as WebhookOptions
from gatewright.adapters.registries.local import Options as LocalOptions
from gatewright.adapters.registries.sagemaker.registry import Options as SagemakerRegistryOptions
from gatewright.adapters.traffic.envoy.options import Options as EnvoyOptions
from gatewright.adapters.traffic.sagemaker.options import Options as SagemakerOptions
from gatewright.adapters.triggers.branch import Options as BranchOptions
from gatewright.adapters.triggers.github import Options as GithubOptions
from gatewright.adapters.triggers.gitlab import Options as GitlabOptions
from gatewright.adapters.triggers.jenkins import Options as JenkinsOptions
from gatewright.adapters.triggers.local import Options as TriggerOptions
from gatewright.config.project import Configuration, read_configuration
from gatewright.domain.errors import ConfigError, Problem
from gatewright.domain.project import Project

DOCS = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


class Installed:
    """PluginOptions of fixed content."""

    _kinds = {  # noqa: RUF012
        ("registries", "local"): LocalOptions,
        ("registries", "sagemaker"): SagemakerRegistryOptions,
        ("traffic", "envoy"): EnvoyOptions,
        ("traffic", "sagemaker"): SagemakerOptions,
        ("gateways", "envoy"): EnvoyOptions,
        ("evidence", "access-log"): AccessLogOptions,
        ("evidence", "cloudwatch"): CloudWatchOptions,
        ("evidence", "envoy-stats"): EnvoyStatsOptions,
        ("evidence", "prometheus"): PrometheusOptions,
        ("notifiers", "webhook"): WebhookOptions,
        ("notifiers", "command"): CommandOptions,
        ("notifiers", "github"): GithubNoticesOptions,
        ("notifiers", "gitlab"): GitlabNoticesOptions,
        ("triggers", "local"): TriggerOptions,
        ("triggers", "branch"): BranchOptions,
        ("triggers", "github"): GithubOptions,
        ("triggers", "gitlab"): GitlabOptions,
        ("triggers", "jenkins"): JenkinsOptions,
    }

    def names(self, group: str) -> Sequence[str]:
        return [kind for family, kind in self._kinds if family == group]

    def options(self, group: str, kind: str) -> type | None:
        return self._kinds.get((group, kind))


def complete_example() -> str:
    """The complete example of the documentation."""
    return DOCS.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]


def read_all(folder: Path, text: str | bytes) -> Configuration:
    """Read `text` as the gatewright.yaml of a workspace at `folder`."""
    path = folder / "gatewright.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_configuration(path, Installed())


def read(folder: Path, text: str | bytes) -> Project:
    """The one project that `text` describes."""
    return read_all(folder, text).choose(None)


def problems(folder: Path, text: str | bytes) -> list[Problem]:
    """What `read` says of `text`; none if it is fine."""
    try:
        read_all(folder, text)
    except ConfigError as error:
        return list(error.problems)
    return []


def told(folder: Path, text: str | bytes) -> list[str]:
    """`line:column field what` of every problem."""
    return [f"{p.where.line}:{p.where.column} {p.field} {p.what}" for p in problems(folder, text)]
