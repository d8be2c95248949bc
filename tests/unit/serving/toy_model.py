"""A tiny artifact as training would leave it: two inputs, two classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

NAMES = ("AGE", "SEX")
SIGNATURE: dict[str, Any] = {
    "format": "skops",
    "task": "binary",
    "inputs": [{"name": name, "datatype": "FP64"} for name in NAMES],
    "outputs": [{"name": "employed", "datatype": "INT64"}],
    "classes": [0, 1],
    "example": {"AGE": 40.0, "SEX": None},
}


def write_artifact(folder: Path, *, impute: bool = True, trees: bool = False) -> Path:
    """Employed from 30 on. Without `impute` the model raises on a missing value."""
    generator = np.random.default_rng(0)
    matrix = np.column_stack([generator.uniform(0, 60, 400), generator.integers(1, 3, 400)])
    classifier = GradientBoostingClassifier(n_estimators=3) if trees else LogisticRegression()
    model = make_pipeline(SimpleImputer(), classifier) if impute else make_pipeline(classifier)
    model.fit(matrix, (matrix[:, 0] > 30).astype(np.int64))
    return write_estimator(folder, model)


def write_estimator(folder: Path, estimator: object, *, task: str = "binary", classes: list[int] | None = None) -> Path:
    folder.mkdir(parents=True)
    skops.io.dump(estimator, folder / "model.skops")
    signature = SIGNATURE | {"task": task, "classes": classes or SIGNATURE["classes"]}
    if task == "regression":
        del signature["classes"]
    (folder / "signature.json").write_text(json.dumps(signature), encoding="utf-8")
    return folder
