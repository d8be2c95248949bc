"""GitHub, GitLab and Jenkins: what each is asked, byte by byte, and what each fault leads to."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from gatewright.adapters.triggers import github, gitlab, jenkins
from gatewright.domain.duration import Duration
from gatewright.domain.errors import StartFailed, UnusableInput
from gatewright.ports import Trigger
from tests.fixtures.ci_server import CiServer, Reply
from tests.fixtures.repository import git
from tests.unit.adapters.triggers.conftest import ORDER, POINTER, SECRET

GITHUB = "/repos/acme/models/actions/workflows/train%20it.yml/dispatches"
GITLAB = "/api/v4/projects/acme%2Fmodels/trigger/pipeline"
JENKINS = "/job/acme/job/train%20it/buildWithParameters"
CRUMB = "/crumbIssuer/api/json"
PATIENT, SOON = Duration(20.0), Duration(1.0)


def github_trigger(ci: CiServer, context: Any, **more: Any) -> Trigger:
    options = {"repository": "acme/models", "workflow": "train it.yml", "url": ci.url + "/", "timeout": PATIENT, **more}
    return github.GithubTrigger(github.Options(**options), context)


def gitlab_trigger(ci: CiServer, context: Any, **more: Any) -> Trigger:
    return gitlab.GitlabTrigger(
        gitlab.Options(**{"project": "acme/models", "url": ci.url, "timeout": PATIENT, **more}), context
    )


def jenkins_trigger(ci: CiServer, context: Any, **more: Any) -> Trigger:
    return jenkins.JenkinsTrigger(
        jenkins.Options(**{"job": "acme/train it", "url": ci.url, "timeout": PATIENT, **more}), context
    )


Make = Callable[..., Trigger]
EACH = pytest.mark.parametrize(
    ("make", "path"), [(github_trigger, GITHUB), (gitlab_trigger, GITLAB), (jenkins_trigger, JENKINS)],
    ids=["github", "gitlab", "jenkins"],
)  # fmt: skip


def test_github_is_asked_for_a_workflow_dispatch(ci: CiServer, context: Any) -> None:
    ci.replies[GITHUB] = Reply(status=204)
    started = github_trigger(ci, context).start(ORDER)
    (asked,) = ci.asked
    assert (asked.method, asked.path) == ("POST", GITHUB)
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.headers["accept"] == "application/vnd.github+json"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-github-api-version"] == "2022-11-28"
    inputs = {
        "model_name": "toy", "data_version": ORDER.data_version, "reason": ORDER.reason, "run_id": ORDER.run,
    }  # fmt: skip
    assert json.loads(asked.body) == {"ref": "main", "inputs": inputs}
    assert started.what == "dispatched train it.yml of acme/models on main"
    assert started.place == f"{ci.url}/repos/acme/models/actions/workflows/train%20it.yml"


def test_github_gets_only_the_inputs_that_the_workflow_declares(ci: CiServer, context: Any) -> None:
    run = f"{ci.url}/acme/models/actions/runs/7"
    ci.replies[GITHUB] = Reply(body=json.dumps({"workflow_run_id": 7, "html_url": run}).encode())
    started = github_trigger(ci, context, inputs=("data_version",), ref="release").start(ORDER)
    assert json.loads(ci.asked[0].body) == {"ref": "release", "inputs": {"data_version": ORDER.data_version}}
    assert started.place == run


def test_gitlab_is_asked_for_a_pipeline(ci: CiServer, context: Any) -> None:
    page = f"{ci.url}/acme/models/-/pipelines/42"
    ci.replies[GITLAB] = Reply(status=201, body=json.dumps({"id": 42, "web_url": page}).encode())
    started = gitlab_trigger(ci, context).start(ORDER)
    (asked,) = ci.asked
    assert (asked.method, asked.path) == ("POST", GITLAB)
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in asked.headers
    assert parse_qs(asked.body.decode(), strict_parsing=True) == {
        "token": [SECRET], "ref": ["main"], "variables[MODEL_NAME]": ["toy"], "variables[REASON]": [ORDER.reason],
        "variables[DATA_VERSION]": [ORDER.data_version], "variables[RUN_ID]": [ORDER.run],
    }  # fmt: skip
    assert (started.what, started.place) == ("triggered pipeline 42 of acme/models on main", page)


def test_a_link_to_somewhere_else_is_not_shown(ci: CiServer, context: Any) -> None:
    body = json.dumps({"id": 42, "web_url": "https://elsewhere.example/42"}).encode()
    ci.replies[GITLAB] = Reply(status=201, body=body)
    assert gitlab_trigger(ci, context).start(ORDER).place == ci.url


def test_jenkins_is_asked_for_a_build_with_the_crumb_of_the_same_session(ci: CiServer, context: Any) -> None:
    crumb = json.dumps({"crumb": "c0ffee", "crumbRequestField": "Jenkins-Crumb"}).encode()
    ci.replies[CRUMB] = Reply(body=crumb, headers={"set-cookie": "JSESSIONID.1=abc; Path=/; HttpOnly"})
    item = f"{ci.url}/queue/item/9/"
    ci.replies[JENKINS] = Reply(status=201, headers={"location": item})
    started = jenkins_trigger(ci, context).start(ORDER)
    first, second = ci.asked
    basic = "Basic " + b64encode(f"ada:{SECRET}".encode()).decode()
    assert (first.method, first.path, first.headers["authorization"]) == ("GET", CRUMB, basic)
    assert (second.method, second.path, second.headers["authorization"]) == ("POST", JENKINS, basic)
    assert (second.headers["jenkins-crumb"], second.headers["cookie"]) == ("c0ffee", "JSESSIONID.1=abc")
    assert parse_qs(second.body.decode(), strict_parsing=True) == {
        "MODEL_NAME": ["toy"], "DATA_VERSION": [ORDER.data_version], "REASON": [ORDER.reason], "RUN_ID": [ORDER.run],
    }  # fmt: skip
    assert (started.what, started.place) == ("queued acme/train it", item)


def test_jenkins_without_crumbs(ci: CiServer, context: Any) -> None:
    ci.replies[JENKINS] = Reply(status=201)
    assert jenkins_trigger(ci, context).start(ORDER).place == f"{ci.url}/job/acme/job/train%20it/"
    assert "cookie" not in ci.asked[1].headers


@pytest.mark.parametrize("crumb", [b"[]", b'{"crumb": "a\\r\\nx: y", "crumbRequestField": "h"}', b'{"crumb": 7}'])
def test_a_crumb_that_is_none(ci: CiServer, context: Any, crumb: bytes) -> None:
    ci.replies[CRUMB] = Reply(body=crumb)
    with pytest.raises(StartFailed) as failed:
        jenkins_trigger(ci, context).start(ORDER)
    assert not failed.value.again
    assert len(ci.asked) == 1


FAULTS: dict[str, tuple[Reply, bool, float, str]] = {
    "401": (Reply(status=401, body=b'{"message": "Bad credentials"}'), False, 0, "answered 401"),
    "403": (Reply(status=403), False, 0, "answered 403"),
    "403 limited": (Reply(status=403, headers={"retry-after": "60"}), True, 60, "answered 403"),
    "403 no more": (Reply(status=403, headers={"x-ratelimit-remaining": "0"}), True, 0, "answered 403"),
    "404": (Reply(status=404), False, 0, "answered 404"),
    "422": (Reply(status=422, body=b'{"message": "Unexpected inputs"}'), False, 0, "Unexpected inputs"),
    "429": (Reply(status=429, headers={"retry-after": "17"}), True, 17, "answered 429"),
    "429 bare": (Reply(status=429), True, 0, "answered 429"),
    "500": (Reply(status=500), True, 0, "answered 500"),
    "503 later": (Reply(status=503, headers={"retry-after": "5"}), True, 5, "answered 503"),
    "html": (Reply(body=b"<html>log in</html>", headers={"content-type": "text/html"}), False, 0, "text/html"),
    "redirect": (Reply(status=302, headers={"location": "https://login.example/?next=x"}), False, 0, "login.example"),
    "hang": (Reply(hangs=True), True, 0, "no whole answer"),
}


@EACH
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_says_whether_to_try_again(ci: CiServer, context: Any, make: Make, path: str, fault: str) -> None:
    reply, again, after_s, words = FAULTS[fault]
    ci.replies[path] = reply
    with pytest.raises(StartFailed) as failed:
        make(ci, context, **({"timeout": SOON} if reply.hangs else {})).start(ORDER)
    assert (failed.value.again, failed.value.after_s) == (again, after_s)
    assert words in str(failed.value)
    assert failed.value.fix
    assert [asked.path for asked in ci.asked].count(path) == 1
    assert "?next" not in str(failed.value)


@EACH
def test_a_retry_after_may_be_a_date(ci: CiServer, context: Any, make: Make, path: str) -> None:
    ci.replies[path] = Reply(status=429, headers={"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"})
    with pytest.raises(StartFailed) as failed:
        make(ci, context).start(ORDER)
    assert failed.value.after_s > 365 * 86400


@pytest.mark.parametrize("make", [github_trigger, gitlab_trigger, jenkins_trigger])
def test_nobody_answers(ci: CiServer, context: Any, make: Make) -> None:
    trigger = make(ci, context)
    ci.close()
    with pytest.raises(StartFailed) as failed:
        trigger.start(ORDER)
    assert failed.value.again


@EACH
def test_a_secret_that_is_sent_back_is_not_told(ci: CiServer, context: Any, make: Make, path: str) -> None:
    basic = b64encode(f"ada:{SECRET}".encode()).decode()
    body = json.dumps({"message": f"bad token {SECRET} ({basic})\x1b[31m\nred"}).encode()
    ci.replies[path] = Reply(status=401, body=body)
    with pytest.raises(StartFailed) as failed:
        make(ci, context).start(ORDER)
    told = str(failed.value) + failed.value.fix
    assert SECRET not in told
    assert "***" in told
    assert told.isprintable()


@pytest.mark.parametrize("make", [github_trigger, gitlab_trigger, jenkins_trigger])
def test_a_missing_token_is_named_and_nobody_is_asked(
    ci: CiServer, context: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = make(ci, context, token="NOT_SET_HERE")
    with pytest.raises(UnusableInput, match="NOT_SET_HERE"):
        trigger.start(ORDER)
    monkeypatch.setenv("NOT_SET_HERE", "a\r\nx-evil: 1")
    with pytest.raises(UnusableInput, match="NOT_SET_HERE"):
        trigger.start(ORDER)
    assert not ci.asked


@EACH
def test_a_pointer_that_no_remote_has_travels_on_a_branch(
    ci: CiServer, context: Any, make: Make, path: str, root: Path
) -> None:
    (root / POINTER).write_text("name: other people\n", encoding="utf-8")
    replies = {GITHUB: Reply(status=204), GITLAB: Reply(status=201, body=b'{"id": 1}'), JENKINS: Reply(status=201)}
    ci.replies[path] = replies[path]
    make(ci, context).start(ORDER)
    branch = "gatewright/data/people-2026-06-30-0123abcd"
    assert git(root, "ls-remote", "--heads", "origin", branch)
    asked = ci.asked[-1].body.decode()
    told = json.loads(asked)["ref"] if path == GITHUB else parse_qs(asked).get("ref", parse_qs(asked).get("DATA_REF"))
    assert told in (branch, [branch])
