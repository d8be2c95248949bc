"""GitHub: comments of pull requests and commits, deployments and their statuses (docs.github.com/rest)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from urllib.parse import quote, urlsplit

from annotated_types import Ge, Predicate

from gatewright.adapters.forges.api import Api, Object, begins_with, part, patiently, stands, whole
from gatewright.domain.duration import Duration
from gatewright.domain.errors import UnusableInput
from gatewright.domain.forge import Comment, Deployment, Told
from gatewright.effects.service_addresses import Address, Variable, owner_and_name
from gatewright.effects.services import Service, own_link, read_list, read_object, secret_of
from gatewright.ports import Context

_HELPS = {
    401: "the token is wrong or has expired: make a new one",
    403: "the token may only read (a pull request from a fork has such a one), or lacks a permission: "
    "pull-requests: write, deployments: write",
    404: "is it the right repository and number, and may the token see it?",
    410: "the conversation is closed for comments",
    422: "GitHub found something wrong with what was sent: is the commit pushed, does the environment exist?",
}
_TASK = "deploy:gatewright"
_ENDED = ("success", "failure", "error", "inactive")
_DESCRIBED = 140
_LOOKED_AT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which repository. `token` names the environment variable that holds the token.

    `url` is that of the API: `https://HOST/api/v3` for GitHub Enterprise. `tries`: how often what failed is asked.
    """

    repository: Annotated[str, Predicate(owner_and_name)]
    token: Variable = "GITHUB_TOKEN"
    url: Address = "https://api.github.com"
    timeout: Duration = Duration(15.0)
    tries: Annotated[int, Ge(1)] = 3


class GithubForge:
    """Port `Forge` over the REST API."""

    def __init__(self, options: Options, context: Context) -> None:
        if not owner_and_name(options.repository):
            raise UnusableInput(f"{options.repository!r} is no repository of GitHub", fix="write OWNER/NAME")
        self._clock, self._tries = context.clock, options.tries
        token = secret_of(options.token, "the token of GitHub")
        service = Service(
            name="GitHub",
            timeout_s=options.timeout.seconds,
            secrets=(token,),
            helps=_HELPS,
            setting="its url",
        )
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
        }
        self._api = Api(service, options.url, headers)
        self._repository = f"/repos/{options.repository}"
        host = urlsplit(self._api.base)
        self._web = "https://github.com" if host.hostname == "api.github.com" else f"{host.scheme}://{host.netloc}"

    def comment(self, comment: Comment) -> Told:
        """Create it, or PATCH the one that this account wrote before."""
        return patiently(partial(self._comment, comment), self._clock, self._tries)

    def change_of(self, commit: str) -> int | None:
        """The pull request that brought a commit, merged ones first."""
        return patiently(partial(self._change_of, commit), self._clock, self._tries)

    def deployment(self, deployment: Deployment) -> None:
        """One deployment per rollout, with a status for each state; the version before becomes inactive."""
        patiently(partial(self._deployment, deployment), self._clock, self._tries)

    def _comment(self, comment: Comment) -> Told:
        if comment.change is not None:
            place, edited = f"{self._repository}/issues/{comment.change}/comments", "/issues/comments"
        else:
            place, edited = f"{self._repository}/commits/{comment.commit}/comments", "/comments"
        marked = [each for each in self._api.items(place) if begins_with(each.get("body"), comment.marker)]
        for own in self._own(marked):
            if stands(own.get("body"), comment):
                return Told(posted="unchanged", url=self._link(own))
            path = f"{self._repository}{edited}/{whole(own.get('id'))}"
            status, found = self._api.send("PATCH", path, {"body": comment.body}, (200, 404))
            if status == 200:
                return Told(posted="updated", url=self._link(found))
        _, found = self._api.send("POST", place, {"body": comment.body}, (201,))
        return Told(posted="created", url=self._link(found))

    def _own(self, comments: Sequence[Object]) -> list[Object]:
        """Those of this account. The token of a workflow may not ask who it is: it is some bot."""
        if not comments:
            return []
        answer = self._api.ask("/user", (200, 403, 404))
        if answer.status == 200:
            login = read_object(self._api.service, answer).get("login")
            return [each for each in comments if part(each, "user", "login") == login]
        return [each for each in comments if part(each, "user", "type") == "Bot"]

    def _change_of(self, commit: str) -> int | None:
        # 422: a commit that the server does not have.
        answer = self._api.ask(f"{self._repository}/commits/{quote(commit, safe='')}/pulls", (200, 404, 422))
        if answer.status != 200:
            return None
        pulls = read_list(self._api.service, answer)
        best = sorted(pulls, key=lambda each: (not each.get("merged_at"), each.get("state") != "open"))
        known = [each for each in best if each.get("merged_at") or each.get("state") == "open"]
        return whole(known[0].get("number")) or None if known else None

    def _deployment(self, deployment: Deployment) -> None:
        asked = f"{self._repository}/deployments?environment={quote(deployment.environment, safe='')}&task={_TASK}"
        same_commit = self._api.items(f"{asked}&sha={quote(deployment.commit, safe='')}")
        found = next((each for each in same_commit if _name(each) == deployment.name), None)
        number = whole(found.get("id")) if found is not None else self._create(deployment)
        latest = self._latest(number) if found is not None else None
        state = latest.get("state") if latest else None
        if state in _ENDED and deployment.state == "in_progress":
            return
        description = deployment.description[:_DESCRIBED]
        if latest is None or (state, latest.get("description")) != (deployment.state, description):
            self._set(number, deployment.environment, deployment.state, description, deployment.log_url)
        if deployment.state == "success":
            self._retire(asked, number, deployment.environment)

    def _create(self, deployment: Deployment) -> int:
        body = {
            "ref": deployment.commit,
            "task": _TASK,
            "auto_merge": False,
            "required_contexts": [],
            "environment": deployment.environment,
            "description": f"rollout {deployment.name}"[:_DESCRIBED],
            "payload": {"rollout": deployment.name},
        }
        _, found = self._api.send("POST", f"{self._repository}/deployments", body, (201,))
        return whole(found.get("id"))

    def _latest(self, number: int) -> Object | None:
        statuses = self._api.items(f"{self._repository}/deployments/{number}/statuses")
        return max(statuses, key=lambda each: whole(each.get("id")), default=None)

    def _set(self, number: int, environment: str, state: str, description: str, log_url: str = "") -> None:
        body = {"state": state, "description": description, "environment": environment, "auto_inactive": True}
        path = f"{self._repository}/deployments/{number}/statuses"
        self._api.send("POST", path, body | ({"log_url": log_url} if log_url else {}), (201,))

    def _retire(self, asked: str, number: int, environment: str) -> None:
        """What served before is inactive now; by itself GitHub does that only outside of production."""
        others = sorted(self._api.items(asked, at_most=_LOOKED_AT + 1), key=lambda each: -whole(each.get("id")))
        for other in [whole(each.get("id")) for each in others if each.get("id") != number][:_LOOKED_AT]:
            latest = self._latest(other)
            if latest is not None and latest.get("state") == "success":
                self._set(other, environment, "inactive", "another version serves now")
                return

    def _link(self, found: Object) -> str:
        return own_link(found.get("html_url"), self._web)


def _name(found: Object) -> object:
    """Which rollout a deployment is for; the payload comes as an object or as its text."""
    payload = found.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            return None
    return payload.get("rollout") if isinstance(payload, dict) else None
