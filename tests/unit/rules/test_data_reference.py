"""Drift from the statistics of a pointer file: exact in its own cells, and silent about nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.rules.data import DataJudgement, judge_data
from gatewright.rules.data_reference import ColumnDrift, Reference
from gatewright.rules.profile import describe, thresholds
from gatewright.rules.schema import Column, Drift, PsiLimits, Schema
from gatewright.stats.psi import psi

N = 4000
SCHEMA = Schema(
    columns={
        "id": Column(type="int", unique=True),
        "age": Column(type="int", nullable=True),
        "pay": Column(type="float", nullable=True),
        "sex": Column(type="string", enum=("f", "m"), sensitive=True),
        "town": Column(type="string"),
        "phone": Column(type="string", personal=True),
        "member": Column(type="bool"),
        "label": Column(type="int"),
    },
    drift=Drift(reference="people"),
)


def people(seed: int = 1, **changed: Any) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "id": np.arange(N),
            "age": rng.integers(-7, 93, N),
            "pay": np.where(rng.random(N) < 0.1, np.nan, rng.normal(size=N)),
            "sex": rng.choice(["f", "m"], N),
            "town": rng.choice([f"town {number}" for number in range(60)], N),
            "phone": [f"+{number}" for number in range(N)],
            "member": rng.random(N) < 0.3,
            "label": rng.integers(0, 2, N),
        }
    )
    frame = frame.with_columns(age=pl.when(pl.col("age") % 11 == 5).then(None).otherwise("age"))
    return frame.with_columns(**changed)


def reference(schema: Schema = SCHEMA, frame: pl.DataFrame | None = None, **more: Any) -> Reference:
    frame = people() if frame is None else frame
    stats = describe(frame.lazy(), replace(schema, drift=None), label="label")
    assert schema.drift is not None
    called = {"called": "people 1", "digest": "sha256:1", "rows": frame.height, "stats": stats, "drift": schema.drift}
    return Reference(**{**called, **more})


def judged(frame: pl.DataFrame, schema: Schema = SCHEMA, **more: Any) -> tuple[DataJudgement, dict[str, ColumnDrift]]:
    found = judge_data(schema, frame.lazy(), reference=reference(schema, **more), label="label")
    assert found.drift is not None
    return found, {column.name: column for column in found.drift.columns}


def test_the_same_rows_have_not_moved() -> None:
    found, columns = judged(people())
    assert found.status == "pass"
    for column in columns.values():
        assert [cell.before for cell in column.cells] == [cell.now for cell in column.cells], column.name
    assert {name: column.psi for name, column in columns.items() if column.psi is not None} == dict.fromkeys(
        ("age", "pay", "sex", "town", "member", "label"), 0.0
    )
    assert columns["id"].why.startswith("the reference tells no values")
    assert columns["phone"] == ColumnDrift(name="phone", status="not judged", why="personal")


def test_psi_is_that_of_the_counts_by_hand() -> None:
    moved = people(2, age=pl.col("age") + 10)
    _, columns = judged(moved)
    entry = reference().stats["columns"]["age"]
    ends = thresholds(entry["low"], entry["high"])
    values = moved["age"].drop_nulls().to_numpy()
    cells = np.searchsorted([*ends, entry["high"] + 0.5], values, side="right")
    now = [moved["age"].null_count(), *np.bincount(cells, minlength=22).tolist()]
    before = [people()["age"].null_count(), 0, *entry["counts"], 0]
    assert [cell.now for cell in columns["age"].cells] == now
    assert columns["age"].psi == pytest.approx(psi(before, now))
    assert columns["age"].status == "fail"


@pytest.mark.parametrize(
    ("changed", "name", "status", "new"),
    [
        ({"sex": pl.when(pl.col("id") < 3).then(pl.lit("x")).otherwise("sex")}, "sex", "warn", 3),
        ({"label": pl.when(pl.col("id") < 3).then(7).otherwise("label")}, "label", "pass", 3),
        ({"town": pl.lit("town 1")}, "town", "fail", 0),
        ({"pay": pl.col("pay").fill_nan(None).fill_null(0.0)}, "pay", "fail", 0),
        ({"age": pl.when(pl.col("id") % 2 == 0).then("age")}, "age", "fail", 0),
        ({"pay": pl.lit(float("inf"))}, "pay", "fail", 0),
        ({"member": ~pl.col("member")}, "member", "fail", 0),
    ],
    ids=["new text", "new number", "one town", "no longer missing", "missing", "infinite", "swapped"],
)
def test_what_moved(changed: dict[str, Any], name: str, status: str, new: int) -> None:
    _, columns = judged(people(**changed))
    assert (columns[name].status, columns[name].new) == (status, new)
    assert sum(cell.now for cell in columns[name].cells) == N
    quiet = [column for column in columns.values() if column.name != name and column.psi is not None]
    assert all(column.psi == 0.0 for column in quiet)


def test_label_rate_and_shares_of_groups() -> None:
    frame = people(sex=pl.lit("f"), label=pl.when(pl.col("id") < 1000).then(1).otherwise(0))
    found, _ = judged(frame)
    assert found.drift is not None
    assert found.drift.label_rate == (people()["label"].mean(), 0.25)
    women = float((people()["sex"] == "f").mean() or 0)
    assert found.drift.groups["sex"]["f"] == (women, 1.0)
    assert found.drift.groups["sex"]["m"] == (pytest.approx(1 - women), 0.0)


def test_limits_of_one_column_and_columns_left_out() -> None:
    wide = Drift(reference="people", columns={"age": PsiLimits(warn=0.2, fail=90.0)}, ignore=("town",))
    schema = replace(SCHEMA, drift=wide)
    _, columns = judged(people(age=pl.col("age") + 10, town=pl.lit("?")), schema)
    assert columns["age"].status == "warn"
    assert (columns["town"].status, columns["town"].why) == ("not judged", "left out by drift.ignore")


def test_too_few_rows_or_values_are_not_judged() -> None:
    found, columns = judged(people().head(999))
    assert (found.status, columns) == ("pass", {})
    assert found.drift is not None
    assert found.drift.why == "the data has 999 rows; drift is judged from 1,000 on (drift.min_rows)"
    _, columns = judged(people(age=pl.when(pl.col("id") < 900).then("age")))
    assert "judged from 1,000" in columns["age"].why


def test_another_kind_of_values_is_told() -> None:
    _, columns = judged(people(sex=pl.col("id") % 2, age=pl.col("age").cast(pl.String)))
    assert columns["sex"].why == "the reference holds values that are not int"
    assert columns["age"].why == "the reference holds numbers, this is string"


def test_values_of_a_column_that_is_personal_now_stay_untold() -> None:
    old = reference(replace(SCHEMA, columns={**SCHEMA.columns, "phone": Column(type="string")}))
    found = judge_data(SCHEMA, people().lazy(), reference=old)
    assert found.drift is not None
    (phone,) = [column for column in found.drift.columns if column.name == "phone"]
    assert phone.cells == ()


def test_text_of_a_csv_file_moves_as_its_values_do() -> None:
    frame = people(age=pl.col("age") + 10, pay=pl.col("pay").fill_nan(None))
    _, typed = judged(frame)
    text = frame.with_columns(pl.all().cast(pl.String)).lazy()
    found = judge_data(SCHEMA, text, typed=False, reference=reference(), label="label")
    assert found.violations == ()
    assert found.drift is not None
    assert {column.name: column.psi for column in found.drift.columns} == {
        name: column.psi for name, column in typed.items()
    }


@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=60, max_size=200, unique=True)
    | st.lists(st.integers(-500, 500), min_size=60, max_size=200, unique=True)
)
def test_thresholds_put_each_value_where_the_statistics_have_put_it(values: list[float]) -> None:
    entry = describe(pl.LazyFrame({"x": values}))["columns"]["x"]
    ends = thresholds(entry["low"], entry["high"])
    cells = np.searchsorted(ends, np.array(values, dtype=float), side="right") - 1
    assert np.bincount(cells, minlength=20).tolist() == entry["counts"]
