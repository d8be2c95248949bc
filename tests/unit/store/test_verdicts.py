"""verdict.json read back: strictly, and also as older releases wrote it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gatewright.cli.main import gatewright
from gatewright.domain.errors import UnusableInput
from gatewright.domain.gate import Verdict
from gatewright.store.runs import Handoff, RunFolder
from gatewright.store.verdicts import read_verdict, verdict_schema
from tests.unit.config.json_schema import fits
from tests.unit.web.judgements import AT, CANDIDATE, judgement, verdict_body

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "verdict.schema.json"
OLD: dict[str, Any] = {
    "verdict": "pass",
    "artifact": CANDIDATE,
    "results": [{"gate": "overall", "verdict": "pass", "why": "fine", "evidence": {"candidate": 1}}],
    "skipped": ["latency"],
    "warnings": [],
    "bootstrap_by": None,
}


def written(tmp_path: Path, body: dict[str, Any], status: str) -> Path:
    """As the gate stage leaves it, envelope and digest included."""
    (tmp_path / "r1").mkdir()
    ended = AT + timedelta(seconds=1)
    handoff = Handoff(run="r1", stage="gate", status=status, started_at=AT, ended_at=ended, body=body)
    RunFolder(tmp_path / "r1").write("verdict", handoff)
    return tmp_path / "r1" / "verdict.json"


def test_a_judgement_comes_back_as_it_was(tmp_path: Path) -> None:
    path = written(tmp_path, verdict_body(judgement()), "failed")
    handoff = RunFolder(path.parent).need("verdict", "gate")
    found = read_verdict(handoff.body)
    assert found.judgement == judgement()
    assert (found.verdict, found.artifact) == (Verdict.FAIL, CANDIDATE)


def test_an_older_verdict_has_the_defaults_of_what_it_lacks() -> None:
    found = read_verdict(OLD)
    assert (found.judgement.mode, found.judgement.waivers, found.judgement.a_a) == ("point", (), None)
    assert found.judgement.results[0].comparisons == ()


def test_an_overdue_evaluation_set_fails_without_a_result() -> None:
    found = read_verdict({"verdict": "fail", "results": [], "warnings": ["overdue"]})
    assert (found.verdict, found.artifact) == (Verdict.FAIL, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verdict": "maybe"}, "verdict: is 'maybe'; allowed: pass, fail, inconclusive"),
        ({"verdict": "fail"}, "verdict: is fail, but the results say pass"),
        ({"artifact": 7}, "artifact: is 7"),
        ({"results": None}, "results:"),
        ({"results": [{**OLD["results"][0], "gate": "vibes"}]}, "results.0.gate:"),
        ({"results": [{**OLD["results"][0], "needed_n": "12"}]}, "results.0.needed_n:"),
        ({"results": [{**OLD["results"][0], "warning": True}]}, "results.0.warning:"),
        ({"moode": "point"}, "moode:"),
    ],
)
def test_what_does_not_fit_is_unusable_and_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableInput) as told:
        read_verdict({**OLD, **change})
    assert words in str(told.value)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(UnusableInput) as told:
        read_verdict({**OLD, "mode": "guess", "a_a": "low"})
    assert "verdict.json: mode:" in str(told.value)
    assert "verdict.json: a_a:" in str(told.value)


def test_the_published_schema_is_current() -> None:
    told = CliRunner().invoke(gatewright, ["config", "schema", "--of", "verdict"])
    expected = PUBLISHED.read_text(encoding="utf-8")
    assert told.output == expected, "run: gatewright config schema --of verdict > docs/verdict.schema.json"


@pytest.mark.parametrize(("body", "status"), [(verdict_body(judgement()), "failed"), (OLD, "passed")])
def test_real_verdicts_fit_the_schema(tmp_path: Path, body: dict[str, Any], status: str) -> None:
    document = json.loads(written(tmp_path, body, status).read_text(encoding="utf-8"))
    schema = verdict_schema()
    assert fits(document, schema, schema)
    for damage in ({"verdict": "maybe"}, {"moode": 1}, {"results": [{"gate": "overall"}]}, {"a_a": "low"}):
        assert not fits({**document, **damage}, schema, schema)
