"""`data watch --once` on a toy project: what is found, what starts, what does not, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gatewright.store.claims import Claims
from gatewright.store.database import Database
from tests.fixtures import toy
from tests.fixtures.ci_server import CiServer, Reply
from tests.fixtures.repository import commit_all, git
from tests.fixtures.watched import COMMAND, SOURCE, add, begun, change, starts, watched_project
from tests.unit.cli.conftest import Shell, Told

DISPATCH = "/repos/acme/toy/actions/workflows/gatewright.yml/dispatches"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = watched_project(tmp_path / "w")
    monkeypatch.chdir(project)
    return project


def look(shell: Shell, *words: str) -> tuple[list[dict[str, Any]], Told]:
    """The events of one look."""
    told = shell("data", "watch", "--once", "--settle", "0", "--output", "json", *words)
    return [json.loads(line) for line in told.out.splitlines()], told


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def colleague(root: Path) -> None:
    """Somebody commits a version."""
    toy.people(90).with_columns(AGE=pl.col("AGE") + 1).write_csv(root / "data" / "train" / "theirs.csv")
    add(root, "data/train/theirs.csv", seconds=60)
    commit_all(root)


def listed(shell: Shell) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shell("data", "claims", "--output", "json").out)
    return found


def test_new_bytes_become_a_version_that_starts_one_run(root: Path, shell: Shell) -> None:
    assert kinds(look(shell)[0]) == ["idle"]
    change(root, 1)
    events, told = look(shell)
    assert (kinds(events), told.code) == (["added", "started"], 0)
    assert events[0]["why"].startswith("content: ")
    assert "content" in events[1]["why"]
    version = events[0]["version"]
    assert (root / "data" / "versions" / "people-train" / f"{version}.yaml").is_file()
    assert kinds(look(shell)[0]) == ["known"]
    (claim,) = listed(shell)
    assert (claim["state"], claim["data"], claim["run"]) == ("started", f"people-train@{version}", events[1]["run"])
    assert claim["run"] in shell("data", "claims").out
    assert starts(root).keys() <= {f"people-train@{version}"}


def test_a_version_that_came_by_git_starts_a_run(root: Path, shell: Shell) -> None:
    colleague(root)
    assert kinds(look(shell)[0])[-1] == "started"


def test_fetch_moves_a_clean_checkout_forward(root: Path, shell: Shell, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(root), "origin.git")
    git(root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(root, "fetch", "--quiet", "origin")
    git(root, "branch", "--set-upstream-to", "origin/" + git(root, "branch", "--show-current").strip())
    git(tmp_path, "clone", "--quiet", "origin.git", "other")
    other = tmp_path / "other"
    colleague(other)
    git(other, "push", "--quiet")
    assert kinds(look(shell, "--fetch")[0]) == ["fetched", "untold", "started"]  # its bytes were not pushed
    (root / "start.sh").write_text("changed\n", encoding="utf-8")
    events, told = look(shell, "--fetch")
    assert (events[0]["event"], told.code) == ("error", 4)
    assert "not committed" in events[0]["why"]


def test_the_same_rows_written_again_start_nothing_and_the_reason_is_kept(root: Path, shell: Shell) -> None:
    rows = (root / SOURCE).read_text().splitlines()
    (root / SOURCE).write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    events, told = look(shell)
    assert (kinds(events), told.code) == (["added", "nothing"], 0)
    assert "rewrite" in events[1]["why"]
    assert [(claim["state"], claim["run"]) for claim in listed(shell)] == [("nothing", "")]
    assert look(shell)[0][0]["event"] in ("known", "idle")
    assert not begun(root)


def test_a_dropped_column_is_blocked(root: Path, shell: Shell) -> None:
    pl.read_csv(root / SOURCE).drop("REGION").write_csv(root / SOURCE)
    events, told = look(shell)
    assert (kinds(events), told.code) == (["added", "blocked"], 1)
    assert "REGION" in events[1]["why"]
    assert listed(shell)[0]["state"] == "blocked"
    assert not begun(root)


def test_code_alone_is_the_business_of_a_push(root: Path, shell: Shell) -> None:
    (root / "training" / "more.py").write_text("x = 1\n", encoding="utf-8")
    events, _ = look(shell)
    assert kinds(events) == ["idle"]
    assert "no new data" in events[0]["why"]
    assert listed(shell) == []


def test_half_a_file_is_told_and_nothing_starts(root: Path, shell: Shell) -> None:
    (root / SOURCE).write_text("id,AGE\n", encoding="utf-8")
    events, told = look(shell)
    assert (kinds(events), told.code) == (["untold", "idle"], 0)
    assert listed(shell) == []


def test_a_run_on_the_same_data_and_code_is_not_started_again(root: Path, shell: Shell) -> None:
    toy.configure(root, port=18080)
    commit_all(root)
    change(root, 1)
    shell("data", "add", "people-train", SOURCE, "--label", "employed", "--data-to", "2100-01-01")
    shell("validate")
    (run,) = (root / ".gatewright" / "runs").iterdir()
    events, _ = look(shell)
    assert events[-1]["event"] == "known"
    assert (events[-1]["run"], listed(shell)[0]["state"]) == (run.name, "started")


def test_a_ci_that_refuses_is_kept_and_tried_again_when_told(
    root: Path, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ci = CiServer()
    monkeypatch.setenv("GITHUB_TOKEN", "s3cr3t-of-the-tests")
    toy.configure(root, port=18080, trigger={"kind": "github", "repository": "acme/toy", "url": ci.url})
    commit_all(root)
    git(tmp_path, "clone", "--quiet", "--bare", str(root), "origin.git")
    git(root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    change(root, 1)
    ci.replies[DISPATCH] = Reply(status=401, body=b'{"message": "Bad credentials"}')
    events, told = look(shell)
    assert (kinds(events), told.code) == (["added", "failed"], 4)
    assert "Bad credentials (not tried again)" in events[1]["why"]
    assert kinds(look(shell)[0]) == ["known"]
    assert len(ci.asked) == 1
    ci.replies[DISPATCH] = Reply(status=503)
    assert "tried again later" in look(shell, "--retry")[0][0]["why"]
    assert kinds(look(shell)[0]) == ["waiting"]
    assert len(ci.asked) == 2
    database = Database(root / ".gatewright" / "state.db")
    (claim,) = Claims(database).all()
    with database.transaction("test") as connection:
        connection.execute("UPDATE claims SET not_before = claimed_at")
    database.close()
    ci.replies[DISPATCH] = Reply(status=204)
    events, told = look(shell)
    assert (kinds(events), told.code) == (["started"], 0)
    sent = json.loads(ci.asked[-1].body)
    assert sent["inputs"]["run_id"] == claim.run
    assert sent["inputs"]["data_version"] == claim.data
    assert sent["ref"] == "gatewright/data/" + claim.data.replace("@", "-")
    written = [path for path in (root / ".gatewright").rglob("*") if path.is_file()]
    assert not [path for path in written if b"s3cr3t" in path.read_bytes()]
    ci.close()


def test_words_that_do_not_fit(root: Path, shell: Shell) -> None:
    assert shell("data", "watch", "--wait").code == 2
    assert shell("data", "watch", "--once", "--every", "soon").code == 2
    told = shell("data", "watch", "--once", "--start", "gitlab", "--settle", "0")
    assert (told.code, "--start gitlab has to be described" in told.err) == (2, True)
    toy.configure(root, port=18080, trigger={"kind": "github", "repository": "a/b", "url": "http://ci.example"})
    told = shell("data", "watch", "--once")
    assert (told.code, "trigger.url" in told.err) == (2, True)
    toy.configure(root, port=18080, trigger={"kind": "local", "command": COMMAND})
    assert shell("run", "--run-id", "../x").code == 2
