"""Where code is reviewed and deployments are shown: what is told there, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ForgeKind = Literal["github", "gitlab"]
DeploymentState = Literal["in_progress", "success", "failure", "inactive"]
Posted = Literal["created", "updated", "unchanged"]

LIMITS: dict[ForgeKind, int] = {"github": 65_536, "gitlab": 1_000_000}
"""Characters that one comment may have; reports count bytes of UTF-8, which are never fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment that is there once: on a pull or merge request, or else on a commit.

    `marker` is the first line of the text, unseen by readers, by which it is found again. Exactly one of `change` (the
    number of the request) and `commit` (its full id) is set. One with an earlier `stamp` (ISO 8601, UTC) never takes
    the place of one with a later.
    """

    marker: str
    text: str
    stamp: str = ""
    change: int | None = None
    commit: str | None = None

    @property
    def body(self) -> str:
        """As it is sent."""
        stamp = f"\n<!-- {self.stamp} -->" if self.stamp else ""
        return f"{self.marker}{stamp}\n{self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a comment, and where it can be read."""

    posted: Posted
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """How far one rollout has come: `name` is the rollout's id, `description` a short sentence for people."""

    name: str
    environment: str
    commit: str
    state: DeploymentState
    description: str
    log_url: str = ""
