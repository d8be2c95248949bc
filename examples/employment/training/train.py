"""Train the employment model: parquet in, `model.skops` and `signature.json` out."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

INPUTS = (
    "AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG",
    "MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM", "SEX", "RAC1P",
)  # fmt: skip
LABEL = "employed"
RECIPE_FILE = Path(__file__).with_name("recipe.json")
THREADS = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    name: str
    hyperparameters: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`inputs`: (rows, features), NaN where a value is missing; `labels`: (rows,) of 0 and 1."""

    inputs: NDArray[np.float64]
    labels: NDArray[np.int64]


def main() -> None:
    options = read_arguments()
    limit_threads()
    recipe = Recipe(name=options.recipe, hyperparameters={}) if options.recipe else read_recipe(RECIPE_FILE)
    say(f"{options.experiment_name}: recipe {recipe.name}, data {options.data_version}")
    table = read_table(options.data)
    model = fit(recipe, table, options.seed)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    write_model(model, options.output_dir / "model.skops")
    write_signature(table, options.output_dir / "signature.json")
    say(f"wrote {options.output_dir}")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a parquet file, or a folder of them")
    parser.add_argument("--data-version", required=True)
    parser.add_argument("--experiment-name", required=True)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument(
        "--recipe", choices=("logistic", "boosting", "boosting-no-imputer"), help="instead of recipe.json"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def limit_threads() -> None:
    """Training shares its machine; the libraries read these names when they are first imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ.setdefault(name, THREADS)


def read_recipe(path: Path) -> Recipe:
    words = json.loads(path.read_text(encoding="utf-8"))
    return Recipe(name=words.pop("recipe"), hyperparameters=words)


def read_table(path: Path) -> Table:
    import polars as pl

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise SystemExit(f"no parquet file in {path}")
    rows = pl.concat([pl.read_parquet(file, columns=[*INPUTS, LABEL]) for file in files])
    say(f"read {rows.height:,} rows from {', '.join(file.name for file in files)}")
    return Table(
        inputs=rows.select(pl.col(INPUTS).cast(pl.Float64)).to_numpy(),
        labels=rows[LABEL].cast(pl.Int64).to_numpy(),
    )


def fit(recipe: Recipe, table: Table, seed: int) -> Pipeline:
    from recipes import RECIPES

    model = RECIPES[recipe.name](recipe.hyperparameters, seed)
    started = time.monotonic()
    model.fit(table.inputs, table.labels)
    say(f"fitted in {time.monotonic() - started:.1f} s")
    say(f"train accuracy {model.score(table.inputs, table.labels):.4f}")
    return model


def write_model(model: Pipeline, path: Path) -> None:
    import skops.io

    skops.io.dump(model, path)


def write_signature(table: Table, path: Path) -> None:
    import numpy as np

    medians = np.nanmedian(table.inputs, axis=0).tolist()
    signature = {
        "format": "skops",
        "task": "binary",
        "inputs": [{"name": name, "datatype": "FP64"} for name in INPUTS],
        "outputs": [{"name": LABEL, "datatype": "INT64"}],
        "classes": [0, 1],
        "example": dict(zip(INPUTS, medians, strict=True)),
    }
    path.write_text(json.dumps(signature, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
