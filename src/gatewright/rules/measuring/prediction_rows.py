"""The rows of predictions: read in pieces that fit into memory, and refused when they cannot be judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

ID, LABEL, CANDIDATE, BASELINE, GOLDEN = "id", "label", "candidate", "baseline", "golden"
PIECE = 1 << 20
"""Rows that are looked at together: about 100 MB with a dozen columns."""
_SCORES = ("score", "log_loss", "brier")
MODELS = (CANDIDATE, BASELINE, GOLDEN)
RESERVED = (ID, LABEL, *MODELS, *(f"{model}_{kind}" for model in MODELS for kind in _SCORES))


def pieces(predictions: pl.DataFrame | pl.LazyFrame, columns: Sequence[str], rows: int = PIECE) -> Iterator[Any]:
    """`columns` of the rows, in order, at most `rows` at a time; nothing for an empty table."""
    import polars as pl

    if isinstance(predictions, pl.DataFrame):
        yield from (piece for piece in predictions.select(columns).iter_slices(rows) if piece.height)
        return
    total = int(predictions.select(pl.len()).collect().item())
    for start in range(0, total, rows):
        yield predictions.slice(start, rows).select(columns).collect()


def check_columns(names: Sequence[str], needed: Sequence[str], own: Sequence[str]) -> None:
    """UnusableInput when one of `needed` is missing, or one of `own`, which slices name, is called like one of ours."""
    if clash := [name for name in RESERVED if name in own]:
        raise UnusableInput(
            f"a slice or fairness column cannot be called {' or '.join(clash)}", fix="rename the column"
        )
    if missing := [name for name in (*needed, *own) if name not in names]:
        raise UnusableInput(f"the predictions lack {', '.join(missing)}", fix=f"columns there: {', '.join(names)}")


def check_piece(piece: pl.DataFrame, predictions: pl.DataFrame | pl.LazyFrame, filled: Sequence[str]) -> None:
    """UnusableInput, with the count over all rows, when one of the columns `filled` has a gap in this piece."""
    import polars as pl

    for name in filled:
        series = piece[name]
        if series.null_count() or (series.dtype.is_float() and series.is_nan().any()):
            values = pl.col(name).fill_nan(None) if series.dtype.is_float() else pl.col(name)
            gaps = predictions.lazy().select(values.null_count()).collect().item()
            raise UnusableInput(f"{gaps:,} rows have no {name}", fix="each row needs an id, a label and predictions")


def check_types(piece: pl.DataFrame, models: Sequence[str]) -> None:
    """UnusableInput when answers can never equal labels."""
    label = piece[LABEL].dtype
    for name in models:
        if (found := piece[name].dtype) != label and not (found.is_numeric() and label.is_numeric()):
            raise UnusableInput(
                f"{name} is {found} but label is {label}: they are never equal",
                fix="let the model answer with the label's own values",
            )


def whole_numbers(series: pl.Series) -> NDArray[np.int64]:
    """Classes (rows,); UnusableInput unless they are whole numbers or true and false."""
    import numpy as np
    import polars as pl

    if series.dtype == pl.Boolean or series.dtype.is_integer():
        return series.cast(pl.Int64).to_numpy()
    if series.dtype.is_float():
        values = series.to_numpy()
        whole = values.astype(np.int64, copy=True) if np.abs(values).max(initial=0.0) < 2.0**53 else None
        if whole is not None and (whole == values).all():
            return whole
        strange = values[values != np.round(values)]
        raise _no_class(series, repr(float(strange[0])) if len(strange) else "a very large number")
    raise _no_class(series, str(series.dtype))


def numbers(series: pl.Series) -> NDArray[np.float64]:
    """Finite numbers (rows,); UnusableInput for anything else."""
    import numpy as np
    import polars as pl

    if not series.dtype.is_numeric():
        raise UnusableInput(f"{series.name} is {series.dtype}; allowed: numbers", fix="write numbers")
    values = series.cast(pl.Float64).to_numpy()
    if not np.isfinite(values).all():
        raise UnusableInput(f"{series.name} holds a number that is not finite", fix="write finite numbers")
    return values


class Identities:
    """Whether every row has an id of its own. Ascending ids prove it while they stream by."""

    def __init__(self) -> None:
        self._ascending = True
        self._last: Any = None

    def add(self, ids: pl.Series) -> None:
        """The ids of the next piece."""
        if not self._ascending:
            return
        follows = self._last is None or ids[0] > self._last
        self._ascending = bool(follows and (ids.slice(1) > ids.slice(0, len(ids) - 1)).all())
        self._last = ids[-1]

    def check(self, predictions: pl.DataFrame | pl.LazyFrame) -> None:
        """UnusableInput that counts the rows with an id that stood before."""
        if self._ascending:
            return
        import polars as pl

        frame = predictions.lazy().select(pl.col(ID)).collect()[ID]
        # Equal ids have equal hashes: only when two hashes meet must the ids themselves be compared.
        hashes = frame.to_numpy() if frame.dtype.is_integer() else frame.hash().to_numpy()
        ordered = hashes.copy()
        ordered.sort()
        if bool((ordered[1:] != ordered[:-1]).all()):
            return
        if doubled := len(frame) - frame.n_unique():
            raise UnusableInput(f"{doubled:,} rows repeat an id", fix="each row of the evaluation set has its own id")


def _no_class(series: pl.Series, found: str) -> UnusableInput:
    return UnusableInput(
        f"{series.name} holds {found}; classes are whole numbers", fix="encode classes as whole numbers, as in training"
    )
