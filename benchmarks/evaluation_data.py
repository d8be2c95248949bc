"""Made-up predictions of two models, the same at every run: `evaluation_data.py FILE ROWS`.

Both models are right on 90 % of the rows, on 10 % only one of them. The columns have names of the American Community
Survey: SEX 2 values, RAC1P 9, DIS 2, SCHL 15, AGEP in six intervals, SEX with RAC1P 18; together 52 slices.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

_PIECE = 1 << 20
_ROW_GROUP = 1 << 18
"""As the evaluation process writes them."""
_RACES = (0.62, 0.12, 0.01, 0.002, 0.004, 0.07, 0.003, 0.111, 0.06)


def main() -> None:
    target, rows = Path(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        for number, start in enumerate(range(0, rows, _PIECE)):
            piece = _piece(start, min(_PIECE, rows - start), np.random.default_rng([2018, number]))
            piece.write_parquet(Path(folder) / f"{number:05}.parquet")
        pl.scan_parquet(Path(folder) / "*.parquet").sink_parquet(target, row_group_size=_ROW_GROUP)


def _piece(start: int, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    label = (rng.random(rows) < 0.45).astype(np.int64)
    # 5 % both wrong, 5 % only the candidate, 5 % only the baseline.
    lot = rng.random(rows)
    return pl.DataFrame(
        {
            "id": np.arange(start, start + rows),
            "label": label,
            "candidate": label ^ (lot < 0.10),
            "baseline": label ^ ((lot < 0.05) | ((lot >= 0.10) & (lot < 0.15))),
            "SEX": rng.integers(1, 3, rows),
            "RAC1P": rng.choice(np.arange(1, 10), rows, p=_RACES),
            "DIS": 1 + (rng.random(rows) < 0.85).astype(np.int64),
            "AGEP": rng.integers(16, 95, rows),
            "SCHL": rng.integers(1, 16, rows),
        }
    )


if __name__ == "__main__":
    main()
