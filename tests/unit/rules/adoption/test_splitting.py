from __future__ import annotations

import polars as pl

from gatewright.rules.adoption.splitting import chosen_rows, row_ids
from gatewright.rules.row_digest import row_hashes

ROWS = pl.DataFrame({"a": list(range(1000)), "label": [int(number % 10 == 0) for number in range(1000)]})


def chosen(rows: pl.DataFrame, *, share: float = 0.2, seed: int = 0, stratified: bool = True) -> pl.Series:
    hashes = row_hashes(rows.lazy(), rows.columns)
    return chosen_rows(hashes, rows["label"] if stratified else None, share=share, seed=seed)


def test_each_class_gives_its_share() -> None:
    taken = ROWS.filter(chosen(ROWS))
    assert taken["label"].value_counts().sort("label")["count"].to_list() == [180, 20]
    assert ROWS.filter(chosen(ROWS, stratified=False)).height == 200


def test_the_order_of_the_rows_does_not_matter_and_the_seed_does() -> None:
    before = set(ROWS.filter(chosen(ROWS))["a"])
    turned = ROWS.reverse()
    assert set(turned.filter(chosen(turned))["a"]) == before
    assert set(ROWS.filter(chosen(ROWS, seed=1))["a"]) != before


def test_another_row_moves_few_others() -> None:
    more = pl.concat([ROWS, pl.DataFrame({"a": [5000], "label": [0]})])
    moved = set(more.filter(chosen(more))["a"]) ^ set(ROWS.filter(chosen(ROWS))["a"])
    assert len(moved) <= 2


def test_equal_rows_stay_on_one_side() -> None:
    rows = pl.DataFrame({"a": [number % 50 for number in range(1000)], "label": [0] * 1000})
    taken = chosen(rows, share=0.3)
    assert not set(rows.filter(taken)["a"]) & set(rows.filter(~taken)["a"])
    assert 0 < rows.filter(taken).height <= 300


def test_a_class_of_one_row_stays_for_training() -> None:
    rows = pl.DataFrame({"a": [1, 2, 3, 4, 5, 6], "label": [0, 0, 0, 0, 0, 1]})
    assert not chosen(rows)[5]


def test_ids_are_those_of_the_rows_and_never_twice() -> None:
    rows = pl.DataFrame({"a": [7, 8, 7, 7], "label": [0, 1, 0, 0]})
    ids = row_ids(row_hashes(rows.lazy(), rows.columns)).to_list()
    assert len(set(ids)) == 4
    assert ids[2:] == [f"{ids[0]}-2", f"{ids[0]}-3"]
    assert row_ids(row_hashes(rows.lazy(), rows.columns)).to_list() == ids
