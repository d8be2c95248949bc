"""Traffic as evaluation rows: ids from requests, types from the schema."""

from __future__ import annotations

import polars as pl
import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.rules.labelling.traffic import check_ids, identified, typed
from gatewright.rules.schema import Column, Schema

ROWS = pl.DataFrame({"request": ["q1", "q2"], "AGE": [30.0, 31.0], "height": [1.5, 2.0], "SEX": [1.0, None]})


def schema(**columns: str) -> Schema:
    return Schema(columns={name: Column(type=kind) for name, kind in columns.items()})  # type: ignore[arg-type]


def test_ids_are_the_requests_own_or_whole_numbers_made_of_them() -> None:
    assert identified(ROWS, "request", "id", None)["id"].to_list() == ["q1", "q2"]
    wide = identified(ROWS, "request", "id", schema(id="int64"))["id"]
    assert wide.dtype == pl.Int64
    assert wide.n_unique() == 2
    assert identified(ROWS, "request", "id", schema(id="int64"))["id"].equals(wide)
    narrow = identified(ROWS, "request", "id", schema(id="int32"))["id"]
    assert narrow.max() < 1 << 30  # type: ignore[operator]


def test_numbers_get_the_types_of_the_schema_where_nothing_is_lost() -> None:
    found = typed(ROWS, schema(AGE="int16", height="int", SEX="int8", other="int"))
    assert [found[name].dtype for name in ("AGE", "height", "SEX")] == [pl.Int16, pl.Float64, pl.Int8]
    assert typed(ROWS, None).equals(ROWS)


def test_each_row_has_an_id_of_its_own() -> None:
    check_ids(pl.DataFrame({"id": [1, 2]}), "id")
    for table, says in (({"x": [1]}, "no column id"), ({"id": [1, None]}, "1 rows"), ({"id": [1, 1]}, "repeat an id")):
        with pytest.raises(UnusableInput, match=says):
            check_ids(pl.DataFrame(table), "id")
