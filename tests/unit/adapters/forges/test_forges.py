"""GitHub and GitLab: what each is asked, byte by byte, and what each fault leads to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gatewright.adapters.forges import github, gitlab
from gatewright.domain.duration import Duration
from gatewright.domain.errors import ServiceFailed, UnusableInput
from gatewright.domain.forge import Comment, Deployment, DeploymentState
from gatewright.ports import Forge
from tests.fixtures.ci_server import Asked, CiServer, Reply
from tests.fixtures.forges import BOT, Github, Gitlab
from tests.unit.adapters.forges.conftest import COMMIT, MARKER, SECRET

ISSUE = "/repos/acme/models/issues/7/comments"
NOTES = "/api/v4/projects/acme%2Fmodels/merge_requests/7/notes"
ADA = {"login": "ada", "type": "User", "id": 1}
SOON = Duration(0.3)


def github_forge(ci: CiServer, context: Any, **more: Any) -> github.GithubForge:
    options = github.Options(**{"repository": "acme/models", "url": ci.url, "timeout": SOON, **more})
    return github.GithubForge(options, context)


def gitlab_forge(ci: CiServer, context: Any, **more: Any) -> gitlab.GitlabForge:
    options = gitlab.Options(**{"project": "acme/models", "url": ci.url, "timeout": SOON, **more})
    return gitlab.GitlabForge(options, context)


Make = Callable[..., Forge]
EACH = pytest.mark.parametrize(
    ("make", "place", "sorting"),
    [(github_forge, ISSUE, "?"), (gitlab_forge, NOTES, "?sort=asc&order_by=created_at&")],
    ids=["github", "gitlab"],
)
FIRST = "per_page=100&page=1"


def comment(text: str = "all well", **more: Any) -> Comment:
    return Comment(**{"marker": MARKER, "text": text, "change": 7, **more})


def asked(ci: CiServer) -> list[tuple[str, str]]:
    return [(each.method, each.path) for each in ci.asked]


def test_github_is_asked_for_a_comment(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    told = github_forge(ci, context).comment(comment())
    assert asked(ci) == [("GET", f"{ISSUE}?{FIRST}"), ("POST", ISSUE)]
    for each in ci.asked:
        assert each.headers["authorization"] == f"Bearer {SECRET}"
        assert each.headers["accept"] == "application/vnd.github+json"
        assert each.headers["x-github-api-version"] == "2022-11-28"
    assert ci.asked[1].headers["content-type"] == "application/json"
    assert json.loads(ci.asked[1].body) == {"body": f"{MARKER}\nall well"}
    (made,) = there.comments["issues/7"]
    assert (told.posted, told.url) == ("created", made["html_url"])


def test_gitlab_is_asked_for_a_note(ci: CiServer, context: Any) -> None:
    there = Gitlab(ci)
    told = gitlab_forge(ci, context).comment(comment())
    assert asked(ci) == [("GET", f"{NOTES}?sort=asc&order_by=created_at&{FIRST}"), ("POST", NOTES)]
    assert all(each.headers["private-token"] == SECRET for each in ci.asked)
    assert "authorization" not in ci.asked[0].headers
    assert json.loads(ci.asked[1].body) == {"body": f"{MARKER}\nall well"}
    number = there.notes[0]["id"]
    assert (told.posted, told.url) == ("created", f"{ci.url}/acme/models/-/merge_requests/7#note_{number}")


def test_github_updates_its_comment_in_place(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    forge = github_forge(ci, context)
    forge.comment(comment("first"))
    ci.asked.clear()
    assert forge.comment(comment("second")).posted == "updated"
    (only,) = there.comments["issues/7"]
    change = ("PATCH", f"/repos/acme/models/issues/comments/{only['id']}")
    assert asked(ci) == [("GET", f"{ISSUE}?{FIRST}"), ("GET", "/user"), change]
    assert only["body"] == f"{MARKER}\nsecond"
    ci.asked.clear()
    assert forge.comment(comment("second")).posted == "unchanged"
    assert [each.method for each in ci.asked] == ["GET", "GET"]


def test_gitlab_updates_its_note_in_place(ci: CiServer, context: Any) -> None:
    there = Gitlab(ci)
    forge = gitlab_forge(ci, context)
    forge.comment(comment("first"))
    ci.asked.clear()
    assert forge.comment(comment("second")).posted == "updated"
    (only,) = there.notes
    assert asked(ci)[1:] == [("GET", "/api/v4/user"), ("PUT", f"{NOTES}/{only['id']}")]
    assert only["body"] == f"{MARKER}\nsecond"
    only["body"] = f"{MARKER}\r\nsecond\r\n"
    assert forge.comment(comment("second")).posted == "unchanged"


def test_it_is_found_behind_a_hundred_others(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    for number in range(230):
        there.add("issues/7", f"talk {number}", ADA)
    mine = there.add("issues/7", f"{MARKER}\nold", BOT)
    assert github_forge(ci, context).comment(comment("new")).posted == "updated"
    assert mine["body"].endswith("new")
    pages = [path for method, path in asked(ci) if method == "GET" and "comments" in path]
    assert pages == [f"{ISSUE}?per_page=100&page={page}" for page in (1, 2, 3)]
    notes = Gitlab(ci)
    for number in range(100):
        notes.add(f"talk {number}", ADA)
    ci.asked.clear()
    gitlab_forge(ci, context).comment(comment("new"))
    assert [method for method, _ in asked(ci)] == ["GET", "POST"], "a full page without a next one is the last"


def test_without_a_link_header_a_full_page_has_a_next_one(ci: CiServer, context: Any) -> None:
    def respond(told: Asked) -> Reply | None:
        if told.method == "POST":
            return Reply(status=201, body=b"{}")
        return Reply(body=json.dumps([{"body": "talk"}] * (100 if told.path.endswith("page=1") else 3)).encode())

    ci.respond = respond
    github_forge(ci, context).comment(comment())
    assert [path[-6:] for method, path in asked(ci) if method == "GET"] == ["page=1", "page=2"]


def test_a_comment_of_somebody_else_is_left_alone(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    theirs = there.add("issues/7", f"{MARKER}\nforged", ADA)
    there.add("issues/7", f"> {MARKER}\nquoted", BOT)
    assert github_forge(ci, context).comment(comment()).posted == "created"
    assert theirs["body"].endswith("forged")
    there.me = {"login": "robot", "type": "User"}
    mine = there.add("issues/7", f"{MARKER}\nmine", there.me)
    assert github_forge(ci, context).comment(comment()).posted == "updated"
    assert mine["body"].endswith("all well")


def test_a_note_of_somebody_else_is_left_alone(ci: CiServer, context: Any) -> None:
    there = Gitlab(ci)
    theirs = there.add(f"{MARKER}\nforged", ADA)
    assert gitlab_forge(ci, context).comment(comment()).posted == "created"
    assert theirs["body"].endswith("forged")


def test_a_comment_that_was_deleted_meanwhile_is_made_anew(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    gone = there.add("issues/7", f"{MARKER}\nold", BOT)
    ci.replies[f"/repos/acme/models/issues/comments/{gone['id']}"] = Reply(status=404, body=b"{}")
    assert github_forge(ci, context).comment(comment()).posted == "created"


def test_a_commit_has_one_comment_too(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    forge = github_forge(ci, context)
    assert forge.comment(comment("a", change=None, commit=COMMIT)).posted == "created"
    assert forge.comment(comment("b", change=None, commit=COMMIT)).posted == "updated"
    (only,) = there.comments[f"commits/{COMMIT}"]
    assert ("PATCH", f"/repos/acme/models/comments/{only['id']}") in asked(ci)
    threads = Gitlab(ci)
    other = gitlab_forge(ci, context)
    assert other.comment(comment("a", change=None, commit=COMMIT)).posted == "created"
    assert other.comment(comment("b", change=None, commit=COMMIT)).posted == "updated"
    assert [note["body"] for note in threads.threads[0]["notes"]] == [f"{MARKER}\nb"]


def test_which_change_brought_a_commit(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    forge = github_forge(ci, context)
    assert forge.change_of(COMMIT) is None
    there.pulls[COMMIT] = [
        {"number": 1, "state": "closed", "merged_at": None},
        {"number": 2, "state": "open", "merged_at": None},
        {"number": 3, "state": "closed", "merged_at": "2026-01-01T00:00:00Z"},
    ]
    assert forge.change_of(COMMIT) == 3
    ci.replies[f"/repos/acme/models/commits/{COMMIT}/pulls"] = Reply(status=422, body=b'{"message": "No commit found"}')
    assert forge.change_of(COMMIT) is None
    requests = Gitlab(ci)
    requests.requests = [{"iid": 4, "state": "closed"}, {"iid": 5, "state": "opened"}, {"iid": 6, "state": "merged"}]
    assert gitlab_forge(ci, context).change_of(COMMIT) == 6


FAULTS: dict[str, tuple[Reply, int, str]] = {
    "401": (Reply(status=401, body=b'{"message": "Bad credentials"}'), 1, "Bad credentials"),
    "403": (Reply(status=403, body=b'{"message": "Resource not accessible by integration"}'), 1, "not accessible"),
    "404": (Reply(status=404), 1, "answered 404"),
    "422": (Reply(status=422, body=b'{"message": "Validation Failed"}'), 1, "Validation Failed"),
    "429": (Reply(status=429, headers={"retry-after": "7"}), 3, "answered 429"),
    "429 for long": (Reply(status=429, headers={"retry-after": "600"}), 1, "answered 429"),
    "500": (Reply(status=500), 3, "answered 500"),
    "html": (Reply(body=b"<html>log in</html>", headers={"content-type": "text/html"}), 1, "text/html"),
    "an object": (Reply(body=b"{}", headers={"content-type": "application/json"}), 1, "no answer of its API"),
    "redirect": (Reply(status=302, headers={"location": "https://login.example/?next=x"}), 1, "login.example"),
    "hang": (Reply(hangs=True), 2, "no whole answer"),
}


@EACH
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_and_asked_again_if_it_may_pass(
    ci: CiServer, context: Any, make: Make, place: str, sorting: str, fault: str
) -> None:
    reply, tries, words = FAULTS[fault]
    ci.replies[f"{place}{sorting}{FIRST}"] = reply
    with pytest.raises(ServiceFailed) as failed:
        make(ci, context, tries=2 if fault == "hang" else 3).comment(comment())
    assert words in str(failed.value)
    assert failed.value.fix
    assert failed.value.status == (0 if fault in ("html", "an object", "hang") else reply.status)
    assert len(ci.asked) == tries
    assert len(context.clock.slept) == tries - 1
    assert "?next" not in str(failed.value)


def test_how_long_it_waits(ci: CiServer, context: Any) -> None:
    ci.replies[f"{ISSUE}?{FIRST}"] = Reply(status=429, headers={"retry-after": "7"})
    with pytest.raises(ServiceFailed, match="429") as failed:
        github_forge(ci, context).comment(comment())
    assert context.clock.slept == [7.0, 7.0]
    assert failed.value.fix == "it was asked 3 times: try again later"


def test_an_answer_that_was_lost_makes_no_second_comment(ci: CiServer, context: Any) -> None:
    """The comment was made, and the answer said 502: the next try finds it."""
    there = Github(ci)

    def respond(told: Asked) -> Reply | None:
        reply = there.respond(told)
        return Reply(status=502) if told.method == "POST" else reply

    ci.respond = respond
    assert github_forge(ci, context).comment(comment()).posted == "unchanged"
    assert len(there.comments["issues/7"]) == 1


@EACH
def test_a_secret_that_is_sent_back_is_not_told(
    ci: CiServer, context: Any, make: Make, place: str, sorting: str
) -> None:
    said = f"{'x' * 150}{SECRET} bad token\x1b[31m"
    ci.replies[f"{place}{sorting}{FIRST}"] = Reply(status=401, body=json.dumps({"message": said}).encode())
    with pytest.raises(ServiceFailed) as failed:
        make(ci, context).comment(comment())
    assert SECRET[:6] not in str(failed.value) + failed.value.fix
    assert str(failed.value).isprintable()


@pytest.mark.parametrize("make", [github_forge, gitlab_forge])
def test_what_cannot_be_asked_is_not(ci: CiServer, context: Any, make: Make) -> None:
    with pytest.raises(UnusableInput, match="NOT_SET_HERE"):
        make(ci, context, token="NOT_SET_HERE")
    for url in ("http://git.example", "https://u:p@git.example", "ftp://git.example", "https://169.254.1.1"):
        with pytest.raises(UnusableInput, match="no address of the API"):
            make(ci, context, url=url)
    with pytest.raises(UnusableInput, match="no repository"):
        github_forge(ci, context, repository="acme/models/../x")
    assert not ci.asked


def deployment(state: DeploymentState, name: str = "toy-2-ab", **more: Any) -> Deployment:
    known = {"environment": "production", "commit": COMMIT, "description": f"it is {state}"}
    return Deployment(**{"name": name, "state": state, **known, **more})


def test_github_shows_a_deployment_from_begin_to_end(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    forge = github_forge(ci, context)
    forge.deployment(deployment("in_progress", log_url=f"{ci.url}/run"))
    (made,) = there.deployments
    assert {name: made[name] for name in ("ref", "task", "auto_merge", "required_contexts", "environment")} == {
        "ref": COMMIT, "task": "deploy:gatewright", "auto_merge": False, "required_contexts": [],
        "environment": "production",
    }  # fmt: skip
    assert made["payload"] == {"rollout": "toy-2-ab"}
    forge.deployment(deployment("in_progress"))
    assert len(there.statuses[made["id"]]) == 1, "the same again is told once"
    forge.deployment(deployment("failure", description="d" * 200))
    forge.deployment(deployment("in_progress"))
    states = [(each["state"], each.get("log_url")) for each in there.statuses[made["id"]]]
    assert states == [("in_progress", f"{ci.url}/run"), ("failure", None)]
    assert len(there.statuses[made["id"]][1]["description"]) == 140
    assert len(there.deployments) == 1


def test_github_retires_what_served_before(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    forge = github_forge(ci, context)
    for name, state in (("toy-1-aa", "success"), ("toy-2-ab", "failure"), ("toy-3-ac", "success")):
        forge.deployment(deployment(state, name, commit=COMMIT[::-1] if name == "toy-1-aa" else COMMIT))
    latest = {made["payload"]["rollout"]: there.statuses[made["id"]][-1]["state"] for made in there.deployments}
    assert latest == {"toy-1-aa": "inactive", "toy-2-ab": "failure", "toy-3-ac": "success"}


def test_a_payload_may_come_as_text(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    forge = github_forge(ci, context)
    forge.deployment(deployment("in_progress"))
    there.deployments[0]["payload"] = json.dumps(there.deployments[0]["payload"])
    forge.deployment(deployment("success"))
    assert len(there.deployments) == 1


def test_gitlab_shows_a_deployment_from_begin_to_end(ci: CiServer, context: Any) -> None:
    there = Gitlab(ci)
    forge = gitlab_forge(ci, context, ref="trunk")
    forge.deployment(deployment("in_progress"))
    (made,) = there.deployments
    known = {"environment": "production", "sha": COMMIT, "ref": "trunk", "tag": False, "status": "running"}
    assert made == {**known, "id": made["id"]}
    forge.deployment(deployment("failure"))
    assert ("PUT", f"/api/v4/projects/acme%2Fmodels/deployments/{made['id']}") in asked(ci)
    forge.deployment(deployment("in_progress"))
    forge.deployment(deployment("inactive"))
    assert [each["status"] for each in there.deployments] == ["failed"]
    forge.deployment(deployment("success", "toy-3-ac"))
    assert [each["status"] for each in there.deployments] == ["failed", "success"]
