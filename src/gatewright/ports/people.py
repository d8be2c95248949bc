"""Who is told: people, and the place where code is reviewed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gatewright.domain.forge import Comment, Deployment, Told
from gatewright.domain.notice import Notice


class Notifier(Protocol):
    """Tells people what happens to a rollout, wherever they are."""

    def tell(self, notice: Notice) -> None:
        """Tell it; WorldFailed when it was not taken. It may be told again, with the same id; nobody waits for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """A notifier and the kinds of notices that it wants to hear of; none named: all but the quiet ones."""

    notifier: Notifier
    events: tuple[str, ...] = ()


class Forge(Protocol):
    """Where code is reviewed and deployments are shown. The same again changes nothing the second time.

    ServiceFailed says whether it may be tried again.
    """

    def comment(self, comment: Comment) -> Told:
        """Have the comment there once, with this text: created, or updated where this account wrote it."""

    def change_of(self, commit: str) -> int | None:
        """The number of the pull or merge request that brought `commit`, merged ones first; None without one."""

    def deployment(self, deployment: Deployment) -> None:
        """Show the deployment with this state; what has ended is not shown as going on again."""
