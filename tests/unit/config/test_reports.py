"""Report and baseline files: what is read, and that nothing is taken in silence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.config.reports import KNOWN, LIMIT, _distance, read_baseline, read_report
from gatewright.domain.errors import ReportError, UnusableInput
from gatewright.domain.evaluation import Latency
from gatewright.domain.project import EvaluationSection, FairnessSection, SliceSpec
from gatewright.rules.evaluation import evaluate
from gatewright.rules.summary import summary

GOOD: dict[str, Any] = {
    "overall_accuracy": 0.91,
    "slices": {"SEX=1": 0.9, "AGEP=[18,25)": 1},
    "demographic_parity_diff": -0.12,
    "latency_p99_ms": 123,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "eval.json"


def write(file: Path, body: Any) -> Path:
    file.write_text(body if isinstance(body, str) else json.dumps(body, indent=2), encoding="utf-8")
    return file


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def test_a_good_report(file: Path) -> None:
    found = read_report(write(file, GOOD))
    assert found.overall_accuracy == 0.91
    assert found.slices == {"SEX=1": 0.9, "AGEP=[18,25)": 1.0}
    assert found.demographic_parity_diff == 0.12  # its absolute value counts
    assert found.latency_p99_ms == 123.0
    assert (found.rows, found.slice_rows, found.latency_sla_p99_ms) == (None, {}, None)


def test_numbers_as_json_writes_them(file: Path) -> None:
    text = '{"overall_accuracy": 9.1e-1, "slices": {}, "demographic_parity_diff": 1E-3, "latency_p99_ms": 1.5e2}'
    found = read_report(write(file, text))
    assert (found.overall_accuracy, found.demographic_parity_diff, found.latency_p99_ms) == (0.91, 0.001, 150.0)


def test_a_team_s_own_fields_are_left_alone(file: Path) -> None:
    own = {"model": "m", "latency_p50_ms": 3, "latency_p95_ms": 80, "f1": None, "notes": ["x"], "auc": "n/a"}
    assert read_report(write(file, GOOD | own)).latency_p99_ms == 123.0


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("overall_acuracy", "overall_accuracy"),
        ("Overall_Accuracy", "overall_accuracy"),
        ("slice", "slices"),
        ("demographic_parity_dif", "demographic_parity_diff"),
        ("demographic_parity_difference", "demographic_parity_diff"),
        ("latency_p99", None),
        ("latency_p99_m", "latency_p99_ms"),
    ],
)
def test_a_misspelt_word_is_told_with_the_right_one(file: Path, wrong: str, meant: str | None) -> None:
    right = meant or "latency_p99_ms"
    with pytest.raises(ReportError) as caught:
        read_report(write(file, {wrong: 0.1, **without(right)}))
    (problem,) = caught.value.problems
    if meant:
        assert f"{file}:2:3: {wrong}: unknown word: did you mean {meant!r}?" in str(problem)
    else:
        assert "latency_p99_ms: is missing" in str(problem)


def test_a_misspelt_optional_word_of_a_baseline_is_an_error_too(file: Path) -> None:
    for wrong in ("latency_sla_p99", "latency_sla_p99_m", "demographic_parity_difference"):
        body = {"overall_accuracy": 0.9, wrong: 0.1}
        if wrong == "latency_sla_p99":
            assert read_baseline(write(file, body)).latency_sla_p99_ms is None  # three edits away: a word of its own
        else:
            with pytest.raises(ReportError, match="did you mean"):
                read_baseline(write(file, body))


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("overall_accuracy", "0.91", "is '0.91', not a number from 0 to 1"),
        ("overall_accuracy", True, "is true"),
        ("overall_accuracy", None, "is nothing"),
        ("overall_accuracy", 91, "is 91"),
        ("overall_accuracy", -0.01, "is -0.01"),
        ("overall_accuracy", [0.9], "is a list"),
        ("demographic_parity_diff", 1.2, "not a number from -1 to 1"),
        ("demographic_parity_diff", None, "is nothing"),
        ("latency_p99_ms", 0, "not a number greater than zero"),
        ("latency_p99_ms", -5, "not a number greater than zero"),
        ("latency_sla_p99_ms", "5s", "not a number greater than zero"),
        ("slices", [0.9], "is a list, not an object"),
        ("slices", {"SEX=1": "0.9"}, "slices.SEX=1: is '0.9'"),
        ("slices", {"SEX=1": None}, "slices.SEX=1: is nothing"),
        ("slices", {"SEX=1": {"accuracy": 1}}, "slices.SEX=1: is a mapping"),
    ],
)
def test_what_is_no_usable_number(file: Path, field: str, value: Any, what: str) -> None:
    with pytest.raises(ReportError) as caught:
        read_report(write(file, GOOD | {field: value}))
    assert len(caught.value.problems) == 1
    assert what in str(caught.value)
    assert caught.value.problems[0].where.line is not None


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", ".nan"])
def test_not_a_number(file: Path, word: str) -> None:
    text = json.dumps(GOOD).replace("0.91", word)
    with pytest.raises(ReportError, match="overall_accuracy: is"):
        read_report(write(file, text))


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"overall_accuracy": 0.9', "[]", "0.9", "null", '{"overall_accuracy": 0.9, "overall_accuracy": 1}'],
)
def test_what_is_no_report_at_all(file: Path, text: str) -> None:
    with pytest.raises(ReportError):
        read_report(write(file, text))
    with pytest.raises(ReportError):
        read_baseline(file)


def test_bytes_that_are_no_text(file: Path) -> None:
    for data in (b"\xff\xfe{\x00}\x00", b"\x00\x01\x02", b'{"overall_accuracy": "\xe9"}'):
        file.write_bytes(data)
        with pytest.raises(ReportError):
            read_report(file)


def test_every_problem_is_told_at_once_in_order(file: Path) -> None:
    with pytest.raises(ReportError) as caught:
        read_report(write(file, {"overall_accuracy": "x", "slices": {"a": 2}, "latency_p99_ms": 0}))
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert [line for line in lines if "demographic_parity_diff: is missing" in line]


def test_a_huge_file_is_refused_at_once(file: Path) -> None:
    with file.open("wb") as target:
        target.truncate(50 << 20)
    started = time.process_time()
    with pytest.raises(ReportError, match="larger than"):
        read_report(file)
    assert time.process_time() - started < 1
    assert LIMIT < 50 << 20


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="does not exist"):
        read_report(tmp_path / "gone.json")
    with pytest.raises(UnusableInput, match="cannot be read"):
        read_baseline(tmp_path)


@pytest.mark.parametrize(
    ("gate", "field"),
    [("latency", "latency_p99_ms"), ("fairness", "demographic_parity_diff"), ("slices", "slices")],
)
def test_only_what_a_gate_compares_must_be_there(file: Path, gate: Any, field: str) -> None:
    write(file, without(field))
    with pytest.raises(ReportError, match=f"{field}: is missing"):
        read_report(file)
    needed = frozenset({"overall", "slices", "fairness", "latency"}) - {gate}
    assert read_report(file, needed).overall_accuracy == 0.91  # type: ignore[arg-type]


def test_a_baseline_needs_its_accuracy_only(file: Path) -> None:
    found = read_baseline(
        write(file, {"overall_accuracy": 0.9, "latency_sla_p99_ms": 250, "demographic_parity_diff": None})
    )
    assert (found.slices, found.demographic_parity_diff, found.latency_sla_p99_ms) == ({}, None, 250.0)
    with pytest.raises(ReportError, match="overall_accuracy: is missing"):
        read_baseline(write(file, {"slices": {}}))


def test_gatewright_s_own_report_is_such_a_report(file: Path) -> None:
    import polars as pl

    rows = {"id": range(6), "label": [1, 0] * 3, "candidate": [1, 0, 1, 1, 0, 0], "x": [1, 1, 1, 2, 2, 2]}
    report = evaluate(
        pl.DataFrame(rows),
        EvaluationSection(label="y", slices=(SliceSpec(columns=("x",)),)),
        FairnessSection(attributes=("x",)),
        model="m",
        task="binary",
        candidate_digest="c",
        baseline_digest=None,
        evaluation_digest="e",
        candidate_latency=Latency(p50_ms=1, p99_ms=2, p99_upper_ms=3, samples=300),
    )
    found = read_report(write(file, {"schema": "gatewright/evaluation-report/1", **summary(report, min_rows=1)}))
    assert found.slices == {"x=1": 1.0, "x=2": round(1 / 3, 12)}
    assert (found.rows, found.slice_rows) == (6, {"x=1": 3, "x=2": 3})


@given(st.sampled_from(KNOWN), st.integers(0, 30), st.sampled_from("abcxyz"))
def test_one_edit_is_a_distance_of_at_most_one(word: str, index: int, letter: str) -> None:
    cut = index % len(word)
    assert _distance(word[:cut] + letter + word[cut:], word) == 1
    assert _distance(word[:cut] + word[cut + 1 :], word) == 1
    assert _distance(word[:cut] + letter + word[cut + 1 :], word) <= 1
