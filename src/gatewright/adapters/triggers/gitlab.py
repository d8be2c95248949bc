"""GitLab CI: a pipeline by trigger token (docs.gitlab.com/api/pipeline_triggers)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from annotated_types import MinLen

from gatewright.adapters.triggers.published import publish
from gatewright.domain.claim import INPUTS, Input, Order, Started
from gatewright.domain.duration import Duration
from gatewright.domain.errors import StartFailed
from gatewright.effects.service_addresses import Address, Variable
from gatewright.effects.services import FORM, Service, form, own_link, read_object, secret_of
from gatewright.ports import Context

_HELPS = {
    401: "the trigger token is wrong or was revoked: Settings, CI/CD, Pipeline trigger tokens",
    403: "the owner of the trigger token may not run pipelines on this ref (is it protected?)",
    404: "is trigger.project right, and is the token one of this project?",
    400: "GitLab has no pipeline for this ref: do the rules of .gitlab-ci.yml let $CI_PIPELINE_SOURCE == trigger in?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which project (`group/name` or its number), on which ref. `token` names the environment variable with the token.

    The variables of the pipeline are `inputs` in capitals: DATA_VERSION, MODEL_NAME, REASON, RUN_ID.
    """

    project: Annotated[str, MinLen(1)]
    ref: Annotated[str, MinLen(1)] = "main"
    token: Variable = "GITLAB_TRIGGER_TOKEN"
    url: Address = "https://gitlab.com"
    inputs: tuple[Input, ...] = INPUTS
    remote: Annotated[str, MinLen(1)] = "origin"
    timeout: Duration = Duration(15.0)


class GitlabTrigger:
    """Port `Trigger`: POST /api/v4/projects/{id}/trigger/pipeline."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._root = context.root

    def start(self, order: Order) -> Started:
        """Trigger the pipeline. 201 with the pipeline is success. The token goes in the body, never in the address."""
        options = self._options
        token = secret_of(options.token, "the trigger token of GitLab")
        branch, _ = publish(order, self._root, options.remote)
        service = Service(
            name="GitLab",
            timeout_s=options.timeout.seconds,
            secrets=(token,),
            helps=_HELPS,
            failure=StartFailed,
            setting="trigger.url",
        )
        base = options.url.rstrip("/")
        url = f"{base}/api/v4/projects/{quote(options.project, safe='')}/trigger/pipeline"
        variables = {
            f"variables[{name.upper()}]": value for name, value in order.inputs().items() if name in options.inputs
        }
        body = form({"token": token, "ref": branch or options.ref, **variables})
        headers = {"content-type": FORM, "accept": "application/json", "user-agent": "gatewright"}
        answer = service.call("POST", url, headers, body, (200, 201))
        found = read_object(service, answer)
        if answer.status != 201 or not isinstance(found.get("id"), int):
            raise service.strange(answer)
        what = f"triggered pipeline {found['id']} of {options.project} on {branch or options.ref}"
        return Started(what=what, place=own_link(found.get("web_url"), base))
