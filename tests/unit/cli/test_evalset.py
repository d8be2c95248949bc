"""`gatewright evalset` as a shell sees it: words, exit codes, and what is refused before anything is read."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.fixtures import toy
from tests.unit.cli.conftest import Shell


@pytest.fixture
def project(empty: Path) -> Path:
    """Traffic and a schema; no model serves, and there is no evaluation data."""
    (empty / "data").mkdir()
    (empty / "data" / "schema.yaml").write_text(toy.SCHEMA, encoding="utf-8")
    toy.configure(empty, port=1)
    people = toy.people(400, offset=5_000).drop("employed")
    moments = [datetime(2026, 6, 1) + timedelta(hours=place) for place in range(people.height)]
    people.with_columns(at=pl.Series(moments)).write_parquet(empty / "traffic.parquet")
    return empty


TRAFFIC = ("--from", "traffic.parquet", "--time", "at")


def test_a_sample_of_hard_examples_is_refused_with_the_reason(project: Path, shell: Shell) -> None:
    for method in ("hard-examples", "uncertainty"):
        told = shell("evalset", "sample", *TRAFFIC, "--allocation", method)
        assert told.code == 2
        assert f"a sample of {method} alone is refused" in told.err
        assert "--allocation neyman" in told.err
    told = shell("evalset", "sample", *TRAFFIC, "--rows", "50", "--random-share", "0")
    assert (told.code, "a random share of 0 is refused" in told.err) == (2, True)
    assert not (project / ".gatewright" / "evalset").exists()


def test_from_traffic_to_a_version(project: Path, shell: Shell) -> None:
    told = shell("evalset", "sample", *TRAFFIC, "--rows", "60", "--stratify", "SEX")
    assert told.code == 0, told.err
    assert "60 of 400 rows, 2026-06-01 to 2026-06-17, proportional, seed 0" in told.out
    assert "Label it: gatewright evalset export" in told.out
    assert "nothing changed" in shell("evalset", "sample", *TRAFFIC, "--rows", "60", "--stratify", "SEX").out
    exported = json.loads(shell("evalset", "export", "--format", "jsonl", "--output", "json").out)
    (file,) = exported["files"]
    lines = [json.loads(line) for line in Path(file["path"]).read_text().splitlines()]
    labelled = project / "labelled.jsonl"
    text = "".join(json.dumps({**line, "employed": int(line["data"]["AGE"] > 30)}) + "\n" for line in lines)
    labelled.write_text(text, encoding="utf-8")
    told = shell("evalset", "import", "labelled.jsonl", "--created-by", "ada")
    assert told.code == 0, told.err
    assert "people-eval 2026-06-17-" in told.out
    assert "no row labelled twice" in told.out
    assert "Commit it: git add data/versions/people-eval/2026-06-17-" in told.out
    assert "evaluation: {weight: weight, stratum: stratum}" in told.out
    labelled.write_text(text.replace('"employed": 1', '"employed": 3'), encoding="utf-8")
    told = shell("evalset", "import", "labelled.jsonl", "--output", "json")
    assert told.code == 2
    problems = json.loads(told.err)["problems"]
    assert {each["what"].partition(": ")[2] for each in problems} == {"3 is no label; allowed: 0, 1"}
    assert all(each["line"] for each in problems)


def test_check_fails_an_old_set_and_tells_what_it_cannot_know(project: Path, shell: Shell) -> None:
    people = toy.people(300, offset=9_000)
    people.write_parquet(project / "data" / "eval.parquet")
    shell("data", "add", "people-eval", "data/eval.parquet", "--role", "eval", "--data-to", "2020-01-01")
    told = shell("evalset", "check", "--skip", "leakage")
    assert told.code == 1
    assert "FAIL" in told.out
    assert "there is no traffic to compare with" in told.out
    told = shell("evalset", "check", "--skip", "leakage", "--skip", "age", "--format", "markdown")
    assert told.code == 3
    assert "| unknown | psi |" in told.out
    told = shell("evalset", "check", *TRAFFIC, "--skip", "leakage", "--skip", "age", "--output", "json")
    found = json.loads(told.out)
    assert (told.code, found["state"]) == (0, "pass")
    assert [each["check"] for each in found["findings"]] == ["weights", "psi", "separation"]
    told = shell("evalset", "check", "--skip", "psi", "--skip", "separation", "--skip", "age")
    assert (told.code, "people-train" in told.err) == (2, True)


def test_refresh_waits_for_labels_and_says_where(project: Path, shell: Shell) -> None:
    told = shell("evalset", "refresh", *TRAFFIC, "--rows", "50")
    assert told.code == 6
    assert "waiting for labels: lay the labelled files into" in told.out
    assert json.loads(shell("evalset", "refresh", *TRAFFIC, "--rows", "50", "--output", "json").out)["waiting"] is True


def test_a_young_set_is_not_due(project: Path, shell: Shell) -> None:
    toy.people(300, offset=9_000).write_parquet(project / "data" / "eval.parquet")
    shell("data", "add", "people-eval", "data/eval.parquet", "--role", "eval")
    told = shell("evalset", "refresh", "--if-due", *TRAFFIC)
    assert told.code == 0
    assert told.out.startswith("not due until ")
    assert json.loads(shell("evalset", "refresh", "--if-due", *TRAFFIC, "--output", "json").out)["due"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sample", "--since", "yesterday"), "'yesterday' is no time"),
        (("sample", *TRAFFIC, "--allocation", "neyman", "--uncertainty", "a", "--probability", "b"), "in two ways"),
        (("sample", *TRAFFIC, "--rows", "60", "--allocation", "neyman"), "no version in production yet"),
        (("export",), "no sample has been drawn yet"),
        (("export", "--sample", "x"), "no sample has been drawn yet"),
        (("check",), "there is no data set 'people-eval'"),
        (("check", "--skip", "everything"), "everything"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], says: str, project: Path, shell: Shell) -> None:
    told = shell("evalset", *words)
    assert (told.code, says in told.err) == (2, True), told.err
