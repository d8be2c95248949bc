"""Make the changed data of the example. The same arguments give the same rows on every machine."""

from __future__ import annotations

import argparse
from hashlib import sha256
from pathlib import Path

import polars as pl

LABEL = "employed"
NEVER_BLANK = ("id", "year", LABEL)


def shuffled(ids: pl.Series, seed: int) -> list[int]:
    """`ids` in the order of their hash: a shuffle that no library version can change."""
    return sorted(ids.to_list(), key=lambda row_id: sha256(f"{seed}:{row_id}".encode()).digest())


def make_eval(rows: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """A plain random sample of `count` rows, in the order of the table."""
    return rows.filter(pl.col("id").is_in(shuffled(rows["id"], seed)[:count]))


def flip_labels(rows: pl.DataFrame, column: str, value: int, share: float, seed: int) -> pl.DataFrame:
    """Turn the labels of a share of one group around."""
    return _relabel(rows, _share_of_group(rows, column, value, share, seed), 1 - pl.col(LABEL))


def set_labels(rows: pl.DataFrame, column: str, value: int, share: float, seed: int, label: int) -> pl.DataFrame:
    """Give a share of one group the same label, whatever it was."""
    return _relabel(rows, _share_of_group(rows, column, value, share, seed), pl.lit(label))


def blank(rows: pl.DataFrame, columns: list[str], share: float, seed: int) -> pl.DataFrame:
    """Take one value away from a share of the rows, the columns in turn."""
    chosen = shuffled(rows["id"], seed)[: round(share * rows.height)]
    return rows.with_columns(
        pl.when(pl.col("id").is_in(chosen[turn :: len(columns)])).then(None).otherwise(pl.col(name)).alias(name)
        for turn, name in enumerate(columns)
    )


def _share_of_group(rows: pl.DataFrame, column: str, value: int, share: float, seed: int) -> list[int]:
    group = shuffled(rows.filter(pl.col(column) == value)["id"], seed)
    return group[: round(share * len(group))]


def _relabel(rows: pl.DataFrame, ids: list[int], label: pl.Expr) -> pl.DataFrame:
    changed = pl.when(pl.col("id").is_in(ids)).then(label).otherwise(pl.col(LABEL))
    return rows.with_columns(changed.cast(rows.schema[LABEL]).alias(LABEL))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sample = commands.add_parser("make-eval", help="draw the evaluation rows")
    sample.add_argument("--rows", type=int, default=10_000)
    flip = commands.add_parser("flip-labels", help="turn labels of one group around")
    fixed = commands.add_parser("set-labels", help="give labels of one group one value")
    fixed.add_argument("--to", type=int, choices=(0, 1), required=True)
    for group in (flip, fixed):
        group.add_argument("--column", required=True)
        group.add_argument("--value", type=int, required=True)
        group.add_argument("--share", type=float, required=True)
    lacking = commands.add_parser("blank", help="remove one value from some rows")
    lacking.add_argument("--share", type=float, default=0.1)
    lacking.add_argument("--columns", help="comma-separated; all inputs when left out")
    for command, seed in ((sample, 2017), (flip, 1), (fixed, 1), (lacking, 1)):
        command.add_argument("--seed", type=int, default=seed)
        command.add_argument("source", type=Path)
        command.add_argument("target", type=Path)
    return parser.parse_args()


def change(rows: pl.DataFrame, options: argparse.Namespace) -> pl.DataFrame:
    match options.command:
        case "make-eval":
            return make_eval(rows, options.rows, options.seed)
        case "flip-labels":
            return flip_labels(rows, options.column, options.value, options.share, options.seed)
        case "set-labels":
            return set_labels(rows, options.column, options.value, options.share, options.seed, options.to)
    inputs = [name for name in rows.columns if name not in NEVER_BLANK]
    columns = options.columns.split(",") if options.columns else inputs
    return blank(rows, columns, options.share, options.seed)


def main() -> None:
    options = read_arguments()
    rows = change(pl.read_parquet(options.source), options)
    options.target.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(options.target)
    print(f"{options.target}: {rows.height:,} rows")


if __name__ == "__main__":
    main()
