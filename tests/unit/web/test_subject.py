"""The verdict in one sentence: what stopped the run comes first."""

from __future__ import annotations

import pytest

from gatewright.domain.gate import GateName, GateResult, Judgement, Verdict
from tests.unit.web.judgements import FAIL, INCONCLUSIVE, PASS, subject


def result(gate: GateName, verdict: Verdict, *, warns: bool = False) -> GateResult:
    return GateResult(gate=gate, verdict=verdict, why=f"why {gate}\nand more", warns=warns)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ((result("overall", PASS), result("auc", PASS)), "2 of 2 gates passed"),
        (
            (result("overall", PASS), result("auc", INCONCLUSIVE, warns=True)),
            "1 of 2 gates passed; 1 could not tell and only warned",
        ),
        ((result("overall", FAIL), result("auc", PASS)), "overall: why overall"),
        ((result("overall", FAIL), result("auc", FAIL)), "2 of 2 gates fail: overall, auc"),
        ((result("overall", INCONCLUSIVE), result("auc", INCONCLUSIVE)), "2 of 2 gates could not tell: overall, auc"),
        (
            (result("overall", INCONCLUSIVE), result("auc", FAIL), result("slices", PASS)),
            "1 of 3 gates fails: auc; 1 could not tell: overall",
        ),
    ],
)
def test_the_verdict_in_one_sentence(results: tuple[GateResult, ...], words: str) -> None:
    assert subject(Judgement(results=results)).verdict_words == words
