"""The section `evidence` with `kind: cloudwatch`: what is wrong is told where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.adapters.metrics.test_promql import START
from tests.unit.config.installed import told

MINUTES = "rollout:\n  breaker: {tick: 1m}\n"


@pytest.mark.parametrize(
    "section",
    [
        "{kind: cloudwatch}",
        "{kind: cloudwatch, endpoint: people-model, region: eu-central-1, errors: 5xx, delay: 3m, settle: 2m, "
        "silence: 10m, history: 14d, timeout: 20s}",
    ],
)
def test_the_section_is_read(tmp_path: Path, section: str) -> None:
    assert told(tmp_path, f"{START}{MINUTES}evidence: {section}\n") == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("endpoint: people_model", "evidence.endpoint 'people_model' is no endpoint name: Letters, digits"),
        ("endpoint: -people", "evidence.endpoint '-people' is no endpoint name"),
        (f"endpoint: {'a' * 64}", "is no endpoint name"),
        ("region: ''", "evidence.region"),
        ("errors: 4xx", "evidence.errors"),
        ("delay: 59s", "evidence.delay"),
        ("silence: 30s", "evidence.silence"),
        ("history: 15d", "evidence.history"),
        ("history: 30s", "evidence.history"),
        ("histori: 1h", "unknown word 'histori': did you mean 'history'?"),
    ],
)
def test_what_is_wrong_with_it_is_told(tmp_path: Path, words: str, problem: str) -> None:
    (line,) = told(tmp_path, f"{START}{MINUTES}evidence: {{kind: cloudwatch, {words}}}\n")
    assert problem in line


@pytest.mark.parametrize("rollout", ["", "rollout: {tick: 30s, breaker: {tick: 1m}}\n", "rollout: {tick: 1m}\n"])
def test_looks_are_a_minute_apart(tmp_path: Path, rollout: str) -> None:
    (line,) = told(tmp_path, f"{START}{rollout}evidence: {{kind: cloudwatch}}\n")
    assert "evidence.kind counts by the minute, and two looks are" in line
    assert "raise rollout.tick and rollout.breaker.tick to 1m" in line
