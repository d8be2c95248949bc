"""A run as Markdown: verdict first, then what it rests on; never longer than a comment may be."""

from __future__ import annotations

from gatewright.domain.gate import GateName, GateResult, Judgement
from gatewright.web.markdown import LIMIT, markdown
from gatewright.web.subject import subject_of_run
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.web.judgements import FAIL, PASS, compared, handoff, handoffs, judgement, subject


def test_the_whole_page() -> None:
    assert_snapshot("views/report-markdown", markdown(subject()))


def test_a_verdict_of_an_older_release_has_a_page() -> None:
    failed = {"gate": "slices", "verdict": "fail", "why": "SEX=1 drops | by 0.08\nand more", "evidence": {}}
    said = ["dependencies were NOT audited"]
    verdict = handoff("gate", "failed", verdict="fail", results=[failed], skipped=["latency"], warnings=said)
    page = markdown(subject_of_run("r1", {**handoffs(), "verdict": verdict}, []))
    lines = page.splitlines()
    assert lines[0] == "# toy: open"
    assert "Run `r1`, because data: a → b." in lines
    assert "| ❌ | slices | SEX=1 drops \\| by 0.08<br>and more |" in lines
    assert "| ⏭️ | latency | left out by request |" in lines
    assert page.count("- dependencies were NOT audited") == 1


def test_a_run_that_was_only_opened_has_a_page() -> None:
    assert "| training data | `acs v1` | 1,200 rows, eeeeeeeeeeee |" in markdown(
        subject_of_run("r1", {"lock": handoffs()["lock"]}, [])
    )


def test_the_worst_are_shown_and_the_rest_is_folded() -> None:
    many = [compared(f"S={number}", 500, PASS, 0.001 * number) for number in range(30)]
    page = markdown(subject(judgement(many)))
    front, _, folded = page.partition("<details><summary>slices: 30 comparisons</summary>")
    assert "| S=22 |" in front
    assert "| S=21 |" not in front
    assert "… and 22 more, below." in front
    assert "| S=0 |" in folded


def test_a_page_never_grows_beyond_a_comment() -> None:
    gates: tuple[GateName, ...] = ("overall", "slices", "fairness", "golden", "auc")
    results = tuple(
        GateResult(
            gate=gate, verdict=FAIL, why="why " * 3000,
            comparisons=tuple(compared(f"{'S' * 280}={each}", 500, FAIL, 0.05, note="n" * 400) for each in range(400)),
        )
        for gate in gates
    )  # fmt: skip
    page = markdown(subject(Judgement(results=results, warnings=tuple(f"{'w' * 5000}{each}" for each in range(90)))))
    assert LIMIT - 2000 < len(page) <= LIMIT
    assert page.count("<details>") == page.count("</details>") > 0
    assert page.rstrip().endswith("shows it all.")


def test_foreign_text_is_no_markup() -> None:
    name = "<img src=x> [a](http://b) @ada `c` *d* AGEP<18"
    page = markdown(subject(judgement([compared(name, 500, PASS, 0.01)])))
    row = next(line for line in page.splitlines() if "AGEP" in line)
    assert "&lt;img src=x> \\[a\\](http:\u200b//b) @\u200bada \\`c\\` \\*d\\* AGEP<18" in row
