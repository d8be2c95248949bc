"""The actions of GitHub that generated workflows use, each pinned by the full SHA of its commit."""

from __future__ import annotations

from dataclasses import dataclass

# Last compared with what others pin under the same version on 2026-11-26.


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action at one commit; `version` is the tag that pointed to it, told in a comment."""

    name: str
    sha: str
    version: str

    @property
    def use(self) -> str:
        """What stands behind `uses:`."""
        return f"{self.name}@{self.sha}"


CHECKOUT = Action(name="actions/checkout", sha="de0fac2e4500dabe0009e67214ff5f5447ce83dd", version="v6.0.2")
PYTHON = Action(name="actions/setup-python", sha="a309ff8b426b58ec0e2a45f0f869d46889d02405", version="v6.2.0")
UPLOAD = Action(name="actions/upload-artifact", sha="bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", version="v7.0.0")
AWS = Action(
    name="aws-actions/configure-aws-credentials", sha="8df5847569e6427dd6c4fb1cf565c83acfa8afa7", version="v6.0.0"
)
GCP = Action(name="google-github-actions/auth", sha="7c6bc770dae815cd3e89ee6cdf493a5fab2cc093", version="v3.0.0")
AZURE = Action(name="azure/login", sha="a457da9ea143d694b1b9c7c869ebb04ebe844ef5", version="v2.3.0")
ACTIONS = (CHECKOUT, PYTHON, UPLOAD, AWS, GCP, AZURE)
