"""GitHub Actions: `workflow_dispatch` through the REST API (docs.github.com/rest/actions/workflows)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from annotated_types import MinLen, Predicate

from gatewright.adapters.triggers.published import publish
from gatewright.domain.claim import INPUTS, Input, Order, Started
from gatewright.domain.duration import Duration
from gatewright.domain.errors import StartFailed
from gatewright.effects.service_addresses import Address, Variable, owner_and_name
from gatewright.effects.services import Service, own_link, read_object, secret_of
from gatewright.ports import Context

_HELPS = {
    401: "the token is wrong or has expired: make a new one",
    403: "the token may not start workflows: it needs the permission actions: write on this repository",
    404: "is trigger.repository right, is the workflow on the default branch, and may the token see the repository?",
    422: "the workflow needs `on: workflow_dispatch` with every input named in trigger.inputs, and the ref must exist",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which workflow of which repository, on which ref. `token` names the environment variable that holds the token.

    `url` is that of the API: `https://HOST/api/v3` for GitHub Enterprise. `inputs`: what the workflow declares.
    """

    repository: Annotated[str, Predicate(owner_and_name)]
    workflow: Annotated[str, MinLen(1)] = "gatewright.yml"
    ref: Annotated[str, MinLen(1)] = "main"
    token: Variable = "GITHUB_TOKEN"
    url: Address = "https://api.github.com"
    inputs: tuple[Input, ...] = INPUTS
    remote: Annotated[str, MinLen(1)] = "origin"
    timeout: Duration = Duration(15.0)


class GithubTrigger:
    """Port `Trigger`: POST …/actions/workflows/{file}/dispatches."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._root = context.root

    def start(self, order: Order) -> Started:
        """Dispatch the workflow. 204 is success; 200 too, if GitHub says which run it is."""
        options = self._options
        token = secret_of(options.token, "the token of GitHub")
        branch, _ = publish(order, self._root, options.remote)
        service = Service(
            name="GitHub",
            timeout_s=options.timeout.seconds,
            secrets=(token,),
            helps=_HELPS,
            failure=StartFailed,
            setting="trigger.url",
        )
        url = (
            f"{options.url.rstrip('/')}/repos/{options.repository}/actions/workflows/{quote(options.workflow, safe='')}"
        )
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/vnd.github+json",
            "content-type": "application/json",
            "user-agent": "gatewright",
            "x-github-api-version": "2022-11-28",
        }
        inputs = {name: value for name, value in order.inputs().items() if name in options.inputs}
        body = json.dumps({"ref": branch or options.ref, "inputs": inputs}).encode()
        answer = service.call("POST", f"{url}/dispatches", headers, body, (200, 204))
        ref = branch or options.ref
        what = f"dispatched {options.workflow} of {options.repository} on {ref}"
        found = read_object(service, answer) if answer.status == 200 else {}
        return Started(what=what, place=own_link(found.get("html_url"), url) if found else url)
