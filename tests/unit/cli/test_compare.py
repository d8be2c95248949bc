"""`gatewright compare` around a comparison that somebody else has made: forms, exit codes, and where progress goes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.gate import Judgement, Verdict
from gatewright.domain.lineage import Artifact, DataVersion
from gatewright.engine import comparing
from gatewright.engine.comparing import Compared, Contender
from gatewright.ports import Progress
from gatewright.workspace import Workspace
from tests.unit.cli.conftest import Shell
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.web.judgements import AT, BASELINE, CANDIDATE, INCONCLUSIVE, PASS, ROWS, evaluation, judgement

Decide = Callable[[Verdict], None]
EVALUATION = DataVersion(
    name="acs", version="2017-12-31-eeeeeeee", role="eval", kind="file", uri="x", digest=ROWS, files=(), schema={},
    fingerprint="x", rows=1200, created_at=AT, data_from=AT, data_to=AT, created_by="ada",
)  # fmt: skip


def judged(verdict: Verdict) -> Judgement:
    if verdict is Verdict.FAIL:
        return judgement()
    kept = (replace(judgement().results[2], verdict=verdict, warns=False),)
    return replace(judgement(), results=kept, waivers=())


@pytest.fixture
def decide(monkeypatch: pytest.MonkeyPatch) -> Decide:
    """What the comparison comes to."""

    def choose(verdict: Verdict) -> None:
        def compare(_: Workspace, first: str, second: str, progress: Progress, *, on: str | None = None) -> Compared:
            progress.stage("compare", "started")
            progress.stage("compare", "passed", on or "latest")
            return Compared(
                candidate=contender(first, f"version {first}", CANDIDATE),
                baseline=contender("2", f"version 2 ({second})", BASELINE),
                evaluation=EVALUATION,
                report=evaluation(),
                judgement=judged(verdict),
            )

        monkeypatch.setattr(comparing, "compare", compare)

    choose(Verdict.FAIL)
    return choose


def contender(word: str, called: str, digest: str) -> Contender:
    return Contender(word=word, called=called, artifact=Artifact(uri="x", digest=digest, size=1))


def test_text_is_the_default_and_holds_no_progress(shell: Shell, workspace: Path, decide: Decide) -> None:
    told = shell("compare", "3", "production")
    assert (told.code, told.err) == (0, "")
    assert_snapshot("views/compare-text", told.out)


@pytest.mark.parametrize(("verdict", "code"), [(PASS, 0), (Verdict.FAIL, 1), (INCONCLUSIVE, 3)])
def test_the_verdict_is_the_exit_code_only_when_asked_for(
    verdict: Verdict, code: int, shell: Shell, workspace: Path, decide: Decide
) -> None:
    decide(verdict)
    assert shell("compare", "3", "production").code == 0
    assert shell("compare", "3", "production", "--gate").code == code


def test_every_form_names_both_models_and_how_to_do_it_again(shell: Shell, workspace: Path, decide: Decide) -> None:
    again = "gatewright compare 3 2 --on 2017-12-31-eeeeeeee"
    page = shell("compare", "3", "production", "--format", "html").out
    assert f"<pre>{again}</pre>" in page
    for text in (page, shell("compare", "3", "production", "--format", "markdown").out):
        assert "toy: version 3 against version 2 (production)" in text
        assert "cccccccccccc" in text
        assert "1,200 rows, eeeeeeeeeeee" in text
    assert ET.fromstring(shell("compare", "3", "production", "--format", "junit").out).get("name") == "gatewright toy"


def test_json_by_both_names(shell: Shell, workspace: Path, decide: Decide) -> None:
    told = shell("compare", "3", "production", "--output", "json").out
    assert told == shell("compare", "3", "production", "--format", "json").out
    document = json.loads(told)
    assert document["verdict"] == "fail"
    assert document["baseline"] == {"name": "2", "called": "version 2 (production)", "digest": BASELINE}
    assert document["evaluation"]["rows"] == 1200
    assert document["report"]["evidence"]["overall"]["rows"] == 100
    assert document["mode"] == "statistical"


def test_progress_is_told_where_the_report_goes_to_a_file(shell: Shell, workspace: Path, decide: Decide) -> None:
    told = shell("compare", "3", "production", "--on", "2017", "--format", "html", "--file", "page.html")
    assert told.out.startswith("► compare\n")
    assert told.out.rstrip().endswith("2017")
    assert (workspace / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert shell("compare", "3", "2", "--file", "x.json", "--output", "json").out == ""


def test_nothing_is_there_to_compare(shell: Shell, workspace: Path) -> None:
    told = shell("compare", "3", "production")
    assert (told.code, told.out) == (2, "")
    assert_snapshot("errors/compare-nothing", told.err)
