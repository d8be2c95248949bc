"""`notify: [{kind: github}]`: rollouts as deployments of GitHub, and one comment each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import MinLen, Predicate

from gatewright.adapters.forges import github
from gatewright.adapters.forges.rollout_notices import RolloutNotices
from gatewright.domain.duration import Duration
from gatewright.domain.errors import UnusableInput
from gatewright.domain.notice import NoticeKind
from gatewright.effects.service_addresses import Address, Variable, owner_and_name
from gatewright.ports import Context, Forge
from gatewright.rules.ci_job import CiJob
from gatewright.rules.rollout_note import TOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """An entry of `notify` with `kind: github`.

    Without `repository` and `url` they are those of the GitHub job that drives. `token` names the environment variable
    that holds the token, `environment` is the one that is deployed to. `comment: false` leaves the comment out.
    """

    repository: Annotated[str, Predicate(owner_and_name)] | None = None
    token: Variable = "GITHUB_TOKEN"
    url: Address | None = None
    environment: Annotated[str, MinLen(1)] = "production"
    comment: bool = True
    events: tuple[NoticeKind, ...] = TOLD
    timeout: Duration = Duration(3.0)


class GithubNotices(RolloutNotices):
    """Port `Notifier`."""

    def __init__(self, options: Options, context: Context) -> None:
        def forge(job: CiJob) -> Forge:
            here = job if job.system == "github" else CiJob()
            repository = options.repository or here.repository
            if not repository:
                raise UnusableInput("the repository of GitHub is not told", fix="notify: repository: OWNER/NAME")
            known = github.Options(
                repository=repository,
                token=options.token,
                url=options.url or here.url or github.Options(repository=repository).url,
                timeout=options.timeout,
                tries=1,  # the outbox tries again
            )
            return github.GithubForge(known, context)

        super().__init__(forge, options.environment, comment=options.comment)
