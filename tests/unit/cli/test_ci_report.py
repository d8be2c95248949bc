"""`gatewright ci report` in GitHub, GitLab, Jenkins and nowhere, against a forge on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatewright.store.runs import Handoff, RunFolder, Runs
from tests.fixtures.ci_server import CiServer, Reply
from tests.fixtures.forges import Github, Gitlab
from tests.unit.cli.conftest import CONFIG, Shell
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.web.judgements import HURTS, PASS, compared, handoff, handoffs, judgement, lock

SECRET = "s3cr3t-of-the-tests"
MARKER = "<!-- gatewright:toy -->"
ISSUE = "/repos/acme/models/issues/7/comments"
PULL = {
    "number": 7, "head": {"sha": "tip", "repo": {"full_name": "acme/models"}},
    "base": {"repo": {"full_name": "acme/models"}},
}  # fmt: skip
_OTHERS = (
    "GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_EVENT_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_TOKEN", "GITHUB_REF",
    "GITLAB_CI", "GATEWRIGHT_GITLAB_TOKEN", "JENKINS_URL", "BUILD_URL", "CHANGE_ID", "CHANGE_URL", "CHANGE_FORK",
)  # fmt: skip


@pytest.fixture
def ci() -> Iterator[CiServer]:
    server = CiServer()
    yield server
    server.close()


@pytest.fixture
def run(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    for name in _OTHERS:
        monkeypatch.delenv(name, raising=False)
    return write(workspace, handoffs())


def write(root: Path, found: Mapping[str, Handoff]) -> RunFolder:
    folder = Runs(root / ".gatewright" / "runs").create("r1", again=True)
    for name, each in found.items():
        folder.write(name, each)
    return folder


@pytest.fixture
def on_github(ci: CiServer, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Github:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": PULL}), encoding="utf-8")
    for name, value in {
        "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/models", "GITHUB_API_URL": ci.url,
        "GITHUB_SERVER_URL": "https://git.example", "GITHUB_RUN_ID": "42", "GITHUB_TOKEN": SECRET,
        "GITHUB_EVENT_PATH": str(event), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return Github(ci)


@pytest.fixture
def on_gitlab(ci: CiServer, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Gitlab:
    for name, value in {
        "GITLAB_CI": "true", "CI_API_V4_URL": f"{ci.url}/api/v4", "CI_PROJECT_PATH": "acme/models",
        "CI_MERGE_REQUEST_IID": "7", "CI_JOB_URL": "https://git.example/j/3", "GATEWRIGHT_GITLAB_TOKEN": SECRET,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return Gitlab(ci)


def test_github_gets_one_comment_and_the_step_its_summary(shell: Shell, on_github: Github, tmp_path: Path) -> None:
    told = shell("ci", "report", "--run", "r1")
    assert (told.code, told.err) == (0, "")
    (comment,) = on_github.comments["issues/7"]
    assert told.out == f"comment: created {comment['html_url']}\nwritten: {tmp_path}/summary.md\n"
    marker, _, page = comment["body"].partition("\n")
    assert marker == MARKER
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == page
    assert page.startswith("# ❌ toy: fail\n")
    assert "[job](https://git.example/acme/models/actions/runs/42)" in page
    assert shell("ci", "report", "--run", "r1").out.startswith("comment: unchanged")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == page * 2, "a summary is appended to"
    assert len(on_github.comments["issues/7"]) == 1


def test_a_later_run_takes_the_place(shell: Shell, on_github: Github, workspace: Path) -> None:
    shell("ci", "report", "--run", "r1")
    write(workspace, handoffs(judgement([compared("SEX=1", 5000, PASS, -0.01)])))
    told = shell("ci", "report", "--run", "r1", "--no-summary", "--output", "json")
    document = json.loads(told.out)
    assert document["comment"]["posted"] == "updated"
    assert document["written"] == []
    (comment,) = on_github.comments["issues/7"]
    assert comment["body"] == f"{MARKER}\n{document['markdown']}"


def test_gitlab_gets_one_note(shell: Shell, on_gitlab: Gitlab) -> None:
    assert shell("ci", "report", "--run", "r1").out.startswith("comment: created")
    assert shell("ci", "report", "--run", "r1").out.startswith("comment: unchanged")
    (note,) = on_gitlab.notes
    assert "[artifacts](https://git.example/j/3/artifacts/browse)" in note["body"]


def test_jenkins_gets_a_file_and_a_comment_if_it_has_a_token(
    shell: Shell, ci: CiServer, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JENKINS_URL", "https://ci.example/")
    monkeypatch.setenv("BUILD_URL", "https://ci.example/job/x/7/")
    told = shell("ci", "report", "--run", "r1")
    assert (told.code, told.err) == (0, "")
    assert told.out == "comment: none (no repository is known here)\nwritten: gatewright-report.md\n"
    assert "[artifacts](https://ci.example/job/x/7/artifact/)" in (tmp_path / "gatewright-report.md").read_text()
    monkeypatch.setenv("CHANGE_ID", "7")
    monkeypatch.setenv("CHANGE_URL", "https://github.com/acme/models/pull/7")
    told = shell("ci", "report", "--run", "r1")
    assert "holds no token" in told.out
    assert told.code == 0
    there = Github(ci)
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    assert shell("ci", "report", "--run", "r1", "--url", ci.url).out.startswith("comment: created")
    assert len(there.comments["issues/7"]) == 1


def test_options_are_enough(shell: Shell, ci: CiServer, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Gitlab(ci)
    monkeypatch.setenv("MY_TOKEN", SECRET)
    where = ("--forge", "gitlab", "--repository", "acme/models", "--change", "7", "--url", ci.url)
    told = shell("ci", "report", "--run", "r1", *where, "--token-env", "MY_TOKEN", "--file", "out/report.md")
    assert told.out.splitlines()[1] == "written: out/report.md"
    assert len(there.notes) == 1
    assert all(each.headers["private-token"] == SECRET for each in ci.asked)


def test_a_dry_run_asks_nobody_and_writes_nothing(
    shell: Shell, ci: CiServer, on_github: Github, tmp_path: Path
) -> None:
    told = shell(
        "ci", "report", "--run", "r1", "--dry-run", "--file", "report.md", "--link", "HTML=https://a.example/x"
    )
    assert_snapshot("views/ci-report", told.out)
    assert not ci.asked
    assert not (tmp_path / "summary.md").exists()
    assert not (tmp_path / "report.md").exists()
    document = json.loads(shell("ci", "report", "--run", "r1", "--dry-run", "--output", "json").out)
    assert (document["state"], document["comment"]["why"]) == ("fail", "--dry-run")


def test_a_token_that_may_only_read_is_a_warning(shell: Shell, ci: CiServer, on_github: Github, tmp_path: Path) -> None:
    ci.replies[ISSUE] = Reply(status=403, body=b'{"message": "Resource not accessible by integration"}')
    told = shell("ci", "report", "--run", "r1")
    assert told.code == 0
    assert "the report is no comment: GitHub answered 403" in told.out
    assert "the step summary has it" in told.out
    assert (tmp_path / "summary.md").is_file()
    told = shell("ci", "report", "--run", "r1", "--required")
    assert told.code == 4
    assert "pull-requests: write" in told.err.replace("\n", " ")


@pytest.mark.parametrize(("status", "code"), [(401, 4), (404, 4), (422, 4), (500, 4)])
def test_any_other_refusal_is_an_error_after_the_summary(
    shell: Shell, ci: CiServer, on_github: Github, tmp_path: Path, status: int, code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("gatewright.workspace.SystemClock.sleep", lambda *_: None)
    ci.replies[f"{ISSUE}?per_page=100&page=1"] = Reply(status=status, body=json.dumps({"message": SECRET}).encode())
    told = shell("ci", "report", "--run", "r1")
    assert told.code == code
    assert f"answered {status}" in told.err
    assert SECRET not in told.err + told.out
    assert (tmp_path / "summary.md").is_file()


def test_a_fork_that_sees_nothing_is_a_warning(shell: Shell, ci: CiServer, on_github: Github, tmp_path: Path) -> None:
    fork = {**PULL, "head": {"sha": "tip", "repo": None}}
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": fork}), encoding="utf-8")
    ci.replies[f"{ISSUE}?per_page=100&page=1"] = Reply(status=404)
    told = shell("ci", "report", "--run", "r1")
    assert told.code == 0
    assert "the report is no comment: GitHub answered 404" in told.out


def test_a_push_has_a_summary_only(shell: Shell, ci: CiServer, on_github: Github, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("{}", encoding="utf-8")
    told = shell("ci", "report", "--run", "r1")
    assert (told.code, told.err) == (0, "")
    assert "comment: none (this is no job of a pull or merge request)" in told.out
    assert not ci.asked
    assert shell("ci", "report", "--run", "r1", "--required").code == 2


def test_a_run_that_stopped_at_validate(shell: Shell, on_github: Github, workspace: Path) -> None:
    finding = {"where": "training/train.py:3:1", "rule": "F401", "what": "os <b>imported</b> and unused @acme/team"}
    checks = [
        {"check": "ruff", "status": "failed", "summary": "1 finding", "findings": [finding]},
        {"check": "data:acs", "status": "passed", "summary": "no breach", "findings": []},
    ]
    run = Runs(workspace / ".gatewright" / "runs").create("r2")
    run.write("lock", replace(lock(), run="r2"))
    run.write("validation", replace(handoff("validate", "failed", checks=checks), run="r2"))
    page = shell("ci", "report", "--run", "r2", "--dry-run").out
    assert page.startswith("# ❌ toy: stopped at validate\n\n1 of its checks did not pass.")
    assert "- **ruff** failed: 1 finding" in page
    assert "  - training/train.py:3:1: F401: os &lt;b>imported&lt;/b> and unused @\u200bacme/team" in page
    assert "data:acs" not in page
    assert json.loads(shell("ci", "report", "--run", "r2", "--dry-run", "--output", "json").out)["state"] == "stopped"


def test_a_run_that_stopped_at_train(shell: Shell, on_github: Github, workspace: Path) -> None:
    run = Runs(workspace / ".gatewright" / "runs").create("r2")
    run.write("lock", replace(lock(), run="r2"))
    run.write("validation", replace(handoff("validate"), run="r2"))
    assert shell("ci", "report", "--run", "r2", "--dry-run").out.startswith("# ⏳ toy: train has not run\n")
    (run.path / "logs").mkdir()
    (run.path / "logs" / "train.log").write_text(f"password {SECRET}\n", encoding="utf-8")
    page = shell("ci", "report", "--run", "r2", "--dry-run").out
    assert page.startswith("# ❌ toy: stopped at train\n\nIt left no candidate.json.")
    assert SECRET not in page


def test_a_configuration_that_cannot_be_read(shell: Shell, on_github: Github, workspace: Path) -> None:
    (workspace / "gatewright.yaml").write_text(CONFIG.replace("label: y", "labl: y"), encoding="utf-8")
    told = shell("ci", "report")
    assert told.code == 0
    (comment,) = on_github.comments["issues/7"]
    assert comment["body"].startswith(f"{MARKER}\n# ❌ toy: no run\n\ngatewright.yaml has 1 problem")


def test_a_run_of_another_commit_is_not_this_one(shell: Shell, on_github: Github) -> None:
    """The newest run belongs to another commit: nothing of it is told."""
    page = shell("ci", "report", "--dry-run").out
    assert page.startswith("# ❌ toy: no run\n")
    assert "r1" not in page
    assert shell("ci", "report", "--run", "r9", "--dry-run").code == 2


def test_of_several_models_one_is_named(shell: Shell, on_github: Github, ci: CiServer, workspace: Path) -> None:
    models = "models:\n  a: {checks: none}\n  b: {serving: {kind: envoy, port: 8081}}\n"
    (workspace / "gatewright.yaml").write_text(CONFIG.replace("model: toy\n", models), encoding="utf-8")
    told = shell("ci", "report")
    assert (told.code, "2 models: a, b" in told.err) == (2, True), told.err
    assert not ci.asked
    assert shell("ci", "report", "--model", "b", "--dry-run").out.startswith("# ❌ b: no run\n")


@pytest.mark.parametrize(
    "words",
    [("--link", "HTML"), ("--link", "HTML=javascript:alert(1)"), ("--repository", "acme/models"), ("--change", "0")],
)
def test_what_cannot_be_meant(shell: Shell, run: RunFolder, words: tuple[str, ...]) -> None:
    assert shell("ci", "report", "--run", "r1", *words).code == 2


def test_a_url_that_is_not_safe_is_refused(shell: Shell, on_github: Github, ci: CiServer) -> None:
    told = shell("ci", "report", "--run", "r1", "--url", "http://git.example")
    assert told.code == 2
    assert "no address of the API" in told.err
    assert not ci.asked


def test_names_that_hurt_stay_names(shell: Shell, on_github: Github) -> None:
    shell("ci", "report", "--run", "r1")
    body = on_github.comments["issues/7"][0]["body"]
    assert HURTS.split("|")[0] not in body
    assert "&lt;script>" in body


def test_it_is_cut_to_what_a_comment_may_hold(shell: Shell, on_github: Github, workspace: Path) -> None:
    many: list[Any] = [compared(f"{'ü' * 110}={each}", 500, PASS, 0.001 * each, note="n" * 200) for each in range(400)]
    write(workspace, handoffs(judgement(many)))
    shell("ci", "report", "--run", "r1", "--link", "HTML=https://a.example/x")
    body = on_github.comments["issues/7"][0]["body"]
    assert 60_000 < len(body.encode()) <= 65_536
    assert "… more was measured than fits here" in body
    assert body.count("<details>") == body.count("</details>") == 1
    assert body.rstrip().endswith("`gatewright report` shows more")
    assert "[HTML](https://a.example/x)" in body
