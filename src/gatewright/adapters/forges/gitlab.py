"""GitLab: notes of merge requests, threads of commits, deployments (docs.gitlab.com/api)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from urllib.parse import quote

from annotated_types import Ge, MinLen

from gatewright.adapters.forges.api import Api, Object, begins_with, part, patiently, stands, whole
from gatewright.domain.duration import Duration
from gatewright.domain.forge import Comment, Deployment, DeploymentState, Told
from gatewright.effects.service_addresses import Address, Variable
from gatewright.effects.services import Service, read_list, read_object, secret_of
from gatewright.ports import Context

_HELPS = {
    400: "GitLab found something wrong with what was sent: is the commit pushed to the project?",
    401: "the token is wrong or has expired: make a new one, with the scope api (a job token may not comment)",
    403: "the token may not do that: it needs the scope api and the role Developer",
    404: "is it the right project and number, and may the token see it?",
}
_STATUS: dict[DeploymentState, str] = {"in_progress": "running", "success": "success", "failure": "failed"}
_ENDED = ("success", "failed", "canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which project (`group/name` or its number). `token` names the environment variable that holds the token.

    `url` is that of GitLab itself, `ref` the branch that deployments are said to come from. `tries`: how often what
    failed is asked.
    """

    project: Annotated[str, MinLen(1)]
    token: Variable = "GATEWRIGHT_GITLAB_TOKEN"
    url: Address = "https://gitlab.com"
    ref: Annotated[str, MinLen(1)] = "main"
    timeout: Duration = Duration(15.0)
    tries: Annotated[int, Ge(1)] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """A note and the path by which it is changed."""

    path: str
    found: Object


class GitlabForge:
    """Port `Forge` over the REST API, version 4."""

    def __init__(self, options: Options, context: Context) -> None:
        self._clock, self._tries, self._ref = context.clock, options.tries, options.ref
        token = secret_of(options.token, "the token of GitLab")
        service = Service(
            name="GitLab",
            timeout_s=options.timeout.seconds,
            secrets=(token,),
            helps=_HELPS,
            setting="its url",
        )
        self._web = options.url.rstrip("/")
        self._api = Api(service, f"{self._web}/api/v4", {"private-token": token})
        self._name = options.project
        self._project = f"/projects/{quote(options.project, safe='')}"

    def comment(self, comment: Comment) -> Told:
        """Create the note, or PUT the one that this account wrote before."""
        return patiently(partial(self._comment, comment), self._clock, self._tries)

    def change_of(self, commit: str) -> int | None:
        """The merge request that brought a commit, merged ones first."""
        return patiently(partial(self._change_of, commit), self._clock, self._tries)

    def deployment(self, deployment: Deployment) -> None:
        """One deployment per commit and environment; GitLab itself knows that it replaces the one before."""
        if deployment.state in _STATUS:
            patiently(partial(self._deployment, deployment), self._clock, self._tries)

    def _comment(self, comment: Comment) -> Told:
        notes = self._notes(comment) if comment.change is not None else self._threads(comment)
        for own in self._own([each for each in notes if begins_with(each.found.get("body"), comment.marker)]):
            if stands(own.found.get("body"), comment):
                return Told(posted="unchanged", url=self._link(comment, own.found))
            status, found = self._api.send("PUT", own.path, {"body": comment.body}, (200, 404))
            if status == 200:
                return Told(posted="updated", url=self._link(comment, found))
        _, found = self._api.send("POST", self._place(comment), {"body": comment.body}, (201,))
        return Told(posted="created", url=self._link(comment, found))

    def _place(self, comment: Comment) -> str:
        if comment.change is not None:
            return f"{self._project}/merge_requests/{comment.change}/notes"
        # A comment of a commit cannot be changed; the note of a thread can.
        return f"{self._project}/repository/commits/{comment.commit}/discussions"

    def _notes(self, comment: Comment) -> Iterator[_Note]:
        place = self._place(comment)
        for found in self._api.items(f"{place}?sort=asc&order_by=created_at"):
            yield _Note(path=f"{place}/{whole(found.get('id'))}", found=found)

    def _threads(self, comment: Comment) -> Iterator[_Note]:
        place = self._place(comment)
        for thread in self._api.items(place):
            notes = thread.get("notes")
            for found in notes if isinstance(notes, list) else ():
                if isinstance(found, dict):
                    thread_id = quote(str(thread.get("id")), safe="")
                    yield _Note(path=f"{place}/{thread_id}/notes/{whole(found.get('id'))}", found=found)

    def _own(self, notes: Sequence[_Note]) -> list[_Note]:
        """Those of this account; all, where GitLab does not tell the account of the token."""
        if not notes:
            return []
        answer = self._api.ask("/user", (200, 403))
        if answer.status != 200:
            return list(notes)
        me = read_object(self._api.service, answer).get("id")
        return [each for each in notes if part(each.found, "author", "id") == me]

    def _change_of(self, commit: str) -> int | None:
        path = f"{self._project}/repository/commits/{quote(commit, safe='')}/merge_requests"
        answer = self._api.ask(path, (200, 404))
        if answer.status != 200:
            return None
        requests = read_list(self._api.service, answer)
        for state in ("merged", "opened"):
            for each in requests:
                if each.get("state") == state and whole(each.get("iid")):
                    return whole(each.get("iid"))
        return None

    def _deployment(self, deployment: Deployment) -> None:
        wanted, place = _STATUS[deployment.state], f"{self._project}/deployments"
        environment = quote(deployment.environment, safe="")
        newest_first = self._api.items(f"{place}?environment={environment}&order_by=id&sort=desc")
        found = next((each for each in newest_first if each.get("sha") == deployment.commit), None)
        status = found.get("status") if found is not None else None
        if status == wanted or (status in _ENDED and wanted == "running"):
            return
        if found is not None and status not in _ENDED:
            self._api.send("PUT", f"{place}/{whole(found.get('id'))}", {"status": wanted}, (200,))
            return
        body = {"environment": deployment.environment, "sha": deployment.commit, "ref": self._ref, "tag": False}
        self._api.send("POST", place, {**body, "status": wanted}, (201,))

    def _link(self, comment: Comment, found: Object) -> str:
        """A note does not say where it can be read; a project that is known by its number only does not, either."""
        if self._name.isdigit():
            return f"{self._api.base}{self._place(comment)}"
        if comment.change is not None:
            return f"{self._web}/{self._name}/-/merge_requests/{comment.change}#note_{whole(found.get('id'))}"
        return f"{self._web}/{self._name}/-/commit/{comment.commit}"
