"""Jenkins: `buildWithParameters` of a job (www.jenkins.io/doc/book/using/remote-access-api)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
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
    401: "user or API token is wrong: make a token on the user's page, Security",
    403: "the user may not build this job, or Jenkins wanted another crumb: it needs Job/Build and Job/Read",
    404: "is trigger.job right (folder/name), and is it a job with parameters?",
    400: "the job has no parameters: declare every one that is named in trigger.inputs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which job (`folder/name`) of which Jenkins. `user` and `token` name the environment variables that hold them.

    The parameters are `inputs` in capitals: DATA_VERSION, MODEL_NAME, REASON, RUN_ID; and DATA_REF, the branch that
    holds the pointer file, when it was pushed for this build.
    """

    url: Address
    job: Annotated[str, MinLen(1)]
    user: Variable = "JENKINS_USER"
    token: Variable = "JENKINS_TOKEN"
    inputs: tuple[Input, ...] = INPUTS
    remote: Annotated[str, MinLen(1)] = "origin"
    timeout: Duration = Duration(15.0)


class JenkinsTrigger:
    """Port `Trigger`: POST /job/{name}/buildWithParameters, with a crumb where Jenkins wants one."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._root = context.root

    def start(self, order: Order) -> Started:
        """Queue the build. 201 with the place in the queue is success."""
        options = self._options
        user, token = secret_of(options.user, "the user of Jenkins"), secret_of(options.token, "the token of Jenkins")
        branch, _ = publish(order, self._root, options.remote)
        basic = b64encode(f"{user}:{token}".encode()).decode()
        service = Service(
            name="Jenkins",
            timeout_s=options.timeout.seconds,
            secrets=(token, basic),
            helps=_HELPS,
            failure=StartFailed,
            setting="trigger.url",
        )
        base = options.url.rstrip("/")
        headers = {"authorization": f"Basic {basic}", "user-agent": "gatewright", "accept": "application/json"}
        headers |= self._crumb(service, base, headers)
        job = "".join(f"/job/{quote(part, safe='')}" for part in options.job.strip("/").split("/"))
        values = {name.upper(): value for name, value in order.inputs().items() if name in options.inputs}
        body = form(values | ({"DATA_REF": branch} if branch else {}))
        url = f"{base}{job}/buildWithParameters"
        answer = service.call("POST", url, {**headers, "content-type": FORM}, body, (200, 201))
        if answer.status != 201:
            raise service.strange(answer)
        return Started(what=f"queued {options.job}", place=own_link(answer.location, f"{base}{job}/"))

    def _crumb(self, service: Service, base: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The header with the crumb, and the cookie of the session it belongs to; none where Jenkins issues none."""
        answer = service.call("GET", f"{base}/crumbIssuer/api/json", headers, None, (200, 404))
        if answer.status == 404:
            return {}
        found = read_object(service, answer)
        name, crumb = found.get("crumbRequestField"), found.get("crumb")
        if not (_is_header(name) and _is_header(crumb)):
            raise StartFailed("Jenkins gave a crumb that is none", fix="is trigger.url the address of Jenkins itself?")
        cookie = answer.headers.get("set-cookie", "").split(";")[0]
        return {str(name): str(crumb)} | ({"cookie": cookie} if _is_header(cookie) else {})


def _is_header(text: object) -> bool:
    return isinstance(text, str) and bool(text) and text.isascii() and text.isprintable()
