"""`notify: [{kind: gitlab}]`: rollouts as deployments of GitLab, and one note each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import MinLen

from gatewright.adapters.forges import gitlab
from gatewright.adapters.forges.rollout_notices import RolloutNotices
from gatewright.domain.duration import Duration
from gatewright.domain.errors import UnusableInput
from gatewright.domain.notice import NoticeKind
from gatewright.effects.service_addresses import Address, Variable
from gatewright.ports import Context, Forge
from gatewright.rules.ci_job import CiJob
from gatewright.rules.rollout_note import TOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """An entry of `notify` with `kind: gitlab`.

    Without `project` and `url` they are those of the GitLab job that drives. `token` names the environment variable
    that holds the token, `environment` is the one that is deployed to, `ref` the branch that is deployed.
    `comment: false` leaves the note out.
    """

    project: Annotated[str, MinLen(1)] | None = None
    token: Variable = "GATEWRIGHT_GITLAB_TOKEN"
    url: Address | None = None
    ref: Annotated[str, MinLen(1)] = "main"
    environment: Annotated[str, MinLen(1)] = "production"
    comment: bool = True
    events: tuple[NoticeKind, ...] = TOLD
    timeout: Duration = Duration(3.0)


class GitlabNotices(RolloutNotices):
    """Port `Notifier`."""

    def __init__(self, options: Options, context: Context) -> None:
        def forge(job: CiJob) -> Forge:
            here = job if job.system == "gitlab" else CiJob()
            project = options.project or here.repository
            if not project:
                raise UnusableInput("the project of GitLab is not told", fix="notify: project: GROUP/NAME")
            known = gitlab.Options(
                project=project,
                token=options.token,
                url=options.url or here.url or gitlab.Options(project=project).url,
                ref=options.ref,
                timeout=options.timeout,
                tries=1,  # the outbox tries again
            )
            return gitlab.GitlabForge(known, context)

        super().__init__(forge, options.environment, comment=options.comment)
