"""A newer evaluation set moves accuracy although nothing changed: unlike baselines are refused, never compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Shell

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
ON_OLD: dict[str, Any] = {
    "overall_accuracy": 0.7743,
    "slices": {"SEX=1": 0.7905},
    "demographic_parity_diff": 0.1192,
    "latency_p99_ms": 30.0,
    "evaluation_digest": OLD,
    "metric_version": "cells/2",
}
# The same model on newer rows: 0.39 points more, as measured on the census data.
ON_NEW = ON_OLD | {"overall_accuracy": 0.7782, "evaluation_digest": NEW}


def write(report: dict[str, Any], baseline: dict[str, Any]) -> None:
    Path("eval.json").write_text(json.dumps(report), encoding="utf-8")
    Path("production.json").write_text(json.dumps(baseline), encoding="utf-8")


def without(report: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key != name}


def test_a_stored_number_on_an_older_set_is_refused(empty: Path, shell: Shell) -> None:
    """Arithmetic alone would call the same model 0.39 points better."""
    write(ON_NEW, ON_OLD)
    told = shell("gate", "eval.json", "--baseline", "production.json")
    assert told.code == 2
    assert "measured on the evaluation set bbbbbbbbbbbb, the baseline on aaaaaaaaaaaa" in told.err
    assert "score the baseline on the same rows" in told.err
    assert told.out == ""


def test_like_for_like_nothing_has_changed(empty: Path, shell: Shell) -> None:
    write(ON_NEW, ON_NEW)
    told = shell("gate", "eval.json", "--baseline", "production.json")
    assert told.code == 0
    assert "accuracy 0.7782 is the baseline's" in told.out
    assert "NOTE" not in told.out


@pytest.mark.parametrize(
    ("report", "baseline", "silent"),
    [
        (ON_NEW, without(ON_OLD, "evaluation_digest"), "the baseline"),
        (without(ON_NEW, "evaluation_digest"), ON_OLD, "the report"),
    ],
)
def test_what_names_no_set_is_told(
    report: dict[str, Any], baseline: dict[str, Any], silent: str, empty: Path, shell: Shell
) -> None:
    write(report, baseline)
    told = shell("gate", "eval.json", "--baseline", "production.json")
    assert told.code == 0
    assert f"{silent} does not name its evaluation set" in told.out


def test_other_metrics_and_no_texts_are_refused(empty: Path, shell: Shell) -> None:
    write(ON_NEW, ON_NEW | {"metric_version": "cells/1"})
    told = shell("gate", "eval.json", "--baseline", "production.json")
    assert (told.code, "measures by cells/2, the baseline by cells/1" in told.err) == (2, True)
    write(ON_NEW, ON_NEW | {"evaluation_digest": 7})
    told = shell("gate", "eval.json", "--baseline", "production.json")
    assert (told.code, "evaluation_digest: is 7, not a text" in told.err) == (2, True)
