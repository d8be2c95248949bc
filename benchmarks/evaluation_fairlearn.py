"""Fairlearn's MetricFrame, in a process of its own: `evaluation_fairlearn.py FILE`.

Accuracy and selection rate of the candidate on the same slices, a MetricFrame for each declaration; no second model, no
test, no bootstrap.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from evaluation_clock import EDGES, Clock, interval
from fairlearn.metrics import MetricFrame, selection_rate
from sklearn.metrics import accuracy_score

_METRICS = {"accuracy": accuracy_score, "selection_rate": selection_rate}


def main() -> None:
    clock = Clock()
    names = ("label", "candidate", "SEX", "RAC1P", "DIS", "AGEP", "SCHL")
    rows = pl.scan_parquet(Path(sys.argv[1])).select(names).collect()
    columns = {name: rows[name].to_numpy() for name in names}
    features = pd.DataFrame({name: columns[name] for name in ("SEX", "RAC1P", "DIS", "SCHL")})
    features["AGEP"] = np.searchsorted(EDGES, columns["AGEP"], side="right")
    found: dict[str, Any] = {}
    for keys in (["SEX"], ["RAC1P"], ["DIS"], ["SCHL"], ["AGEP"], ["SEX", "RAC1P"]):
        frame = MetricFrame(
            metrics=_METRICS,
            y_true=columns["label"],
            y_pred=columns["candidate"],
            sensitive_features=features[keys],
        )
        found |= _named(keys, frame.by_group)
    clock.say(found)


def _named(keys: list[str], by_group: pd.DataFrame) -> dict[str, list[float]]:
    found = {}
    for values, accuracy, selected in by_group.itertuples():
        codes = values if isinstance(values, tuple) else (values,)
        name = interval(codes[0]) if keys == ["AGEP"] else " & ".join(map("{}={}".format, keys, codes))
        found[name] = [float(accuracy), float(selected)]
    return found


if __name__ == "__main__":
    main()
