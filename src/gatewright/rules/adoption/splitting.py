"""Setting an evaluation set apart: by the hash of the rows, so that the same rows give the same parts on any machine.

Rows that are equal stay on one side, whatever their ids, so that no evaluation row is one that the model has seen.
"""

from __future__ import annotations

from hashlib import sha256

import polars as pl


def chosen_rows(hashes: pl.DataFrame, strata: pl.Series | None, *, share: float, seed: int) -> pl.Series:
    """Which rows go into the evaluation set: about `share` of each stratum, those whose salted hash is smallest.

    `hashes`: (rows) `a` and `b`, the lanes of each row (rules/row_digest.py); `strata`: (rows) its class, or None.
    """
    salt = int.from_bytes(sha256(f"gatewright split/1\0{seed}".encode()).digest()[:8], "little")
    stratum = strata.cast(pl.String) if strata is not None else pl.Series(["all"] * hashes.height)
    rows = hashes.with_columns(stratum=stratum, order=pl.col("a") ^ pl.lit(salt, pl.UInt64))
    alike = rows.group_by("stratum", "order", "a", "b").len().sort("stratum", "order", "a", "b")
    taken = alike.with_columns(
        last=pl.col("len").cum_sum().over("stratum"), most=(pl.col("len").sum().over("stratum") * share + 0.5).floor()
    ).with_columns(chosen=pl.col("last") <= pl.col("most"))
    joined = rows.join(
        taken.select("stratum", "order", "a", "b", "chosen"),
        on=["stratum", "order", "a", "b"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return joined["chosen"]


def row_ids(hashes: pl.DataFrame) -> pl.Series:
    """An id for each row: 16 hex digits of its hash; rows that are equal are numbered."""
    numbers = hashes.select(number=pl.int_range(pl.len()).over("a"))["number"].to_list()
    words = [f"{value:016x}" for value in hashes["a"].to_list()]
    return pl.Series(
        "id", [f"{word}-{number + 1}" if number else word for word, number in zip(words, numbers, strict=True)]
    )
