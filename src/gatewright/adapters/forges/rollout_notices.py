"""A rollout's notices as a deployment with its states, and as one comment where its code was reviewed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from gatewright.domain.errors import UnusableInput
from gatewright.domain.forge import Comment, Deployment
from gatewright.domain.notice import Notice
from gatewright.ports import Forge
from gatewright.rules.ci_job import CiJob, job_in
from gatewright.rules.ci_links import safe_link
from gatewright.rules.rollout_note import description_of, rollout_marker, rollout_note, state_of

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class RolloutNotices:
    """Port `Notifier`: each notice says how the rollout stands now, so one that is told twice or late does no harm."""

    def __init__(self, open_forge: Callable[[CiJob], Forge], environment: str, *, comment: bool) -> None:
        self._open_forge = open_forge
        self._environment = environment
        self._comment = comment

    def tell(self, notice: Notice) -> None:
        """Show it; UnusableInput without token or commit, ServiceFailed when it is not taken."""
        commit = notice.commit.partition("-")[0]
        if not _COMMIT.fullmatch(commit):
            raise UnusableInput(
                f"the commit of run {notice.run} is not known, and a deployment needs one",
                fix="let the run happen in a git repository, and keep .gatewright/runs or the state database",
            )
        job = job_in(os.environ, {})
        forge, run_url = self._open_forge(job), safe_link(job.run_url)
        forge.deployment(
            Deployment(
                name=notice.rollout,
                environment=self._environment,
                commit=commit,
                state=state_of(notice),
                description=description_of(notice),
                log_url=run_url,
            )
        )
        if self._comment:
            change = forge.change_of(commit)
            text = rollout_note(notice, self._environment, run_url)
            place = {"change": change} if change is not None else {"commit": commit}
            marker, stamp = rollout_marker(notice), notice.at.isoformat()
            forge.comment(Comment(marker=marker, text=text, stamp=stamp, **place))
