"""Are evaluation rows in the training data? By their ids where these identify a row, else by what stands in them.

Coarse tables have honest doubles: two census forms may agree in every answer. So the share of evaluation rows that
stand in the training data is compared with the same share of training rows that stand in the rest of the training data
(independent rows of the same kind); only what is beyond that, by a one-sided test of two shares, is a leak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewright.domain.labelling import DESIGN_COLUMNS, Finding

if TYPE_CHECKING:
    import polars as pl

SURE, SUSPECT = 0.001, 0.05
_COMPARED = 50_000
_COARSE = 0.5
_HASH, _ID = "hash", "id hash"
_SEED = 20_260_101


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """What was counted: rows of the evaluation set found in the training data, and of training rows in the others.

    `places` are those evaluation rows, from 0. `same_id`: rows whose id stands in the training data (None: no such
    column there), and of these, `same_id_and_row` with the same contents, too.
    """

    rows: int
    places: tuple[int, ...]
    compared: int
    doubles: int
    columns: int
    same_id: int | None = None
    same_id_and_row: int = 0


def shared(evaluation: Mapping[str, Any], training: Mapping[str, Any], left_out: Sequence[str]) -> list[str]:
    """The columns that tell what stands in a row: those of both, without ids, labels and the sample's own."""
    return [name for name in evaluation if name in training and name not in (*left_out, *DESIGN_COLUMNS)]


def matches(evaluation: pl.DataFrame, training: pl.LazyFrame, columns: Sequence[str], id: str | None) -> Matches:
    """Look the rows of `evaluation` up in `training` by hashes of `columns`, in one streaming pass over the latter.

    Hashes are of this process only (polars' change between releases) and 64 bits wide: of 50,000 rows among 10 million
    one meets a stranger with probability 3e-8.
    """
    import polars as pl

    kinds = _kinds(columns, evaluation.schema, training.collect_schema())
    ids = [pl.col(id).cast(pl.String).hash(_SEED).alias(_ID)] if id is not None else []
    mine = evaluation.select(_hashed(kinds), *ids).with_row_index("place")
    every = int(training.select(pl.len()).collect().item())
    some = training.gather_every(max(every // _COMPARED, 1)).select(_hashed(kinds)).collect(engine="streaming")
    wanted = pl.concat([mine[_HASH], some[_HASH]]).unique()
    known = pl.col(_HASH).is_in(wanted.implode())
    if id is not None:
        known = known | pl.col(_ID).is_in(mine[_ID].implode())
    # Only what somebody looks for leaves the pass: 100,000 rows of ten million.
    there = training.select(_hashed(kinds), *ids).filter(known).collect(engine="streaming")
    doubled = there.group_by(_HASH).len().filter(pl.col("len") > 1)
    same = both = None
    if id is not None:
        same = mine.join(there, on=_ID, how="semi").height
        both = mine.join(there, on=[_ID, _HASH], how="semi").height
    return Matches(
        rows=evaluation.height,
        places=tuple(mine.join(there, on=_HASH, how="semi")["place"].sort().to_list()),
        compared=some.height,
        doubles=some.join(doubled, on=_HASH, how="semi").height,
        columns=len(columns),
        same_id=same,
        same_id_and_row=both or 0,
    )


def judge_leakage(found: Matches, training: str) -> Finding:
    """What the counts mean. Equal ids alone say nothing where they are numbers of lines that each set counts anew."""
    share, usual = len(found.places) / max(found.rows, 1), found.doubles / max(found.compared, 1)
    p = _p(found)
    numbers = {
        "rows": found.rows,
        "found": len(found.places),
        "expected": round(usual * found.rows, 1),
        "excess": round(max(len(found.places) - usual * found.rows, 0.0), 1),
        "p": p,
        "same_id": found.same_id,
        "same_id_and_row": found.same_id_and_row,
    }
    start = f"{len(found.places):,} of {found.rows:,} rows stand in {training} with the same {found.columns} columns"
    usual_told = f"{usual * found.rows:,.0f} would by chance ({usual:.2%} of training rows have a double)"
    if found.same_id_and_row and found.same_id_and_row >= 0.5 * (found.same_id or 1):
        what = f"{found.same_id_and_row:,} of {found.rows:,} rows stand in {training}, with their id and their contents"
        return Finding(check="leakage", state="fail", what=what, numbers=numbers)
    if not found.columns:
        what = f"{training} has no column in common: nothing can be compared"
        return Finding(check="leakage", state="unknown", what=what, numbers=numbers)
    state = "pass"
    if share > usual:
        state = "fail" if p < SURE else "warn" if p < SUSPECT else "pass"
        if state == "fail" and usual > _COARSE:
            state = "warn"  # where most rows have a double, an equal row is no sign of the same one
    return Finding(check="leakage", state=state, what=f"{start}; {usual_told}", numbers=numbers)


def _p(found: Matches) -> float:
    """One-sided p of "a larger share than among training rows", by z with the pooled share."""
    from gatewright.stats.paired import paired_z

    n, m = max(found.rows, 1), max(found.compared, 1)
    hits, doubles = len(found.places), found.doubles
    pooled = (hits + doubles) / (n + m)
    error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)) ** 0.5
    difference = hits / n - doubles / m
    return float(paired_z(difference, error)) if error > 0.0 else 0.5


def _hashed(columns: Mapping[str, bool]) -> pl.Expr:
    """One hash over the values of `columns`: numbers (True) as such whatever their width, all else as text."""
    import polars as pl

    if not columns:
        return pl.lit(0, dtype=pl.UInt64).alias(_HASH)
    parts = [
        # 0.0 is added so that -0.0 is 0.0.
        (pl.col(name).cast(pl.Float64).fill_nan(None) + 0.0 if is_number else pl.col(name).cast(pl.String)).alias(name)
        for name, is_number in columns.items()
    ]
    return pl.struct(parts).hash(_SEED).alias(_HASH)


def _kinds(columns: Sequence[str], one: pl.Schema, other: pl.Schema) -> dict[str, bool]:
    """Which columns are numbers on both sides."""
    import polars as pl

    def is_number(dtype: pl.DataType) -> bool:
        return dtype.is_numeric() or dtype == pl.Boolean

    return {name: is_number(one[name]) and is_number(other[name]) for name in columns}
