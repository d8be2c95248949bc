"""Which rows of the traffic are worth a label: a stratified sample with weights, a part of it purely random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewright.domain.errors import UnusableInput
from gatewright.domain.labelling import DESIGN_COLUMNS, RANDOM, STRATUM, WEIGHT, StratumFacts
from gatewright.rules.labelling.strata import Strata, stratified

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

Allocation = Literal["proportional", "neyman"]
LEAST_RANDOM = 0.3
_LEAST_SPREAD = 0.1
"""A model that is too sure of itself would leave its own strata without a row."""
BIASED = ("uncertainty", "hard-examples")
"""Ways to choose that are refused: a sample of what is hard says nothing of what is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What was asked for: `rows` by `allocation` over the strata of `columns`, at least `random_share` without them."""

    rows: int
    columns: tuple[str, ...] = ()
    allocation: Allocation = "proportional"
    random_share: float = LEAST_RANDOM
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The rows drawn, in the order of the traffic, with their design columns; and the strata."""

    rows: pl.DataFrame
    strata: tuple[StratumFacts, ...]


def check_method(method: str) -> None:
    """UnusableInput for a way of sampling that cannot be weighted back to the traffic."""
    if method in BIASED:
        raise UnusableInput(
            f"a sample of {method} alone is refused: rows that could never be drawn have no weight, and accuracy on it "
            "is biased (measured on census data: −5.6 points by uncertainty, −13 points by hard examples)",
            fix="write --allocation neyman: it draws more of what the model is unsure of, and weights make up for it",
        )


def check_design(design: Design, traffic_rows: int) -> None:
    """UnusableInput for a sample that is too large, too small, or not random enough."""
    if not LEAST_RANDOM <= design.random_share <= 1.0:
        raise UnusableInput(
            f"a random share of {design.random_share:g} is refused: {LEAST_RANDOM:g} to 1 keeps every row of the "
            "traffic possible",
            fix=f"write --random-share {LEAST_RANDOM:g}",
        )
    if not 2 <= design.rows <= traffic_rows:
        raise UnusableInput(
            f"{design.rows:,} rows cannot be drawn from {traffic_rows:,} rows of traffic",
            fix="ask for fewer rows, or take a longer window",
        )


def sample(traffic: pl.DataFrame, design: Design, unsure: pl.Series | None = None) -> Sample:
    """Draw from `traffic`; `unsure` is the chance, by the model, that it is wrong on each row (rows,).

    UnusableInput for columns that the sample itself adds, Neyman's allocation without `unsure`, and what `check_design`
    and `stratified` refuse.
    """
    import numpy as np
    import polars as pl

    if clash := [name for name in DESIGN_COLUMNS if name in traffic.columns]:
        raise UnusableInput(f"the traffic has a column {clash[0]} already", fix="rename it: the sample adds its own")
    check_design(design, traffic.height)
    if design.allocation == "neyman" and unsure is None:
        raise UnusableInput(
            "Neyman's allocation needs to know how unsure the model is of each row, and nobody says it",
            fix="name the column with its probability: --uncertainty COLUMN; or write --allocation proportional",
        )
    strata = stratified(traffic, design.columns, unsure if design.allocation == "neyman" else None)
    chosen, purely_random, spreads = drawn(strata, design, None if unsure is None else unsure.to_numpy())
    from gatewright.stats.sampling import weights

    weight = weights(strata.codes, chosen, len(strata.names))
    rows = traffic[chosen].with_columns(
        pl.Series(WEIGHT, weight),
        pl.Series(STRATUM, [strata.names[code] for code in strata.codes[chosen].tolist()]),
        pl.Series(RANDOM, np.isin(chosen, purely_random)),
    )
    return Sample(rows=rows, strata=_facts(strata, chosen, purely_random, spreads))


def drawn(
    strata: Strata, design: Design, unsure: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None]:
    """Positions drawn, ascending; those of the purely random part; and under Neyman the spread of each stratum.

    The spread of being right in a stratum in which a share e is wrong is sqrt(e (1 - e)).
    """
    import numpy as np

    from gatewright.stats.sampling import LEAST_A_STRATUM, allocate, draw

    count = len(strata.names)
    sizes = np.bincount(strata.codes, minlength=count)
    if (needed := int(np.minimum(sizes, LEAST_A_STRATUM).sum())) > design.rows:
        raise UnusableInput(
            f"{count:,} strata need {needed:,} rows at least, and {design.rows:,} are asked for",
            fix="ask for more rows, or stratify by fewer columns",
        )
    spreads = None
    if design.allocation == "neyman" and unsure is not None:
        wrong = np.bincount(strata.codes, weights=unsure, minlength=count) / np.maximum(sizes, 1)
        spreads = np.maximum(np.sqrt(wrong * (1.0 - wrong)), _LEAST_SPREAD)
    targets = allocate(sizes, np.ones(count) if spreads is None else spreads, design.rows)
    rng = np.random.default_rng(design.seed)
    chosen, purely_random = draw(strata.codes, targets, math.ceil(design.random_share * design.rows), rng)
    return np.sort(chosen), purely_random, spreads


def checked_uncertainty(series: pl.Series, *, probability: bool) -> pl.Series:
    """The chance of being wrong (rows,): `series` itself, or min(p, 1 - p) of a `probability` of two classes.

    UnusableInput unless these are numbers from 0 to 1.
    """
    import polars as pl

    if not series.dtype.is_numeric():
        raise UnusableInput(f"{series.name} is {series.dtype}; a probability is a number", fix="name another column")
    values = series.cast(pl.Float64)
    if values.null_count() or not bool(values.is_between(0.0, 1.0).all()):
        raise UnusableInput(f"{series.name} is no probability: empty, or outside of 0 to 1", fix="name another column")
    if not probability:
        return values
    return pl.DataFrame({"p": values}).select(pl.min_horizontal(pl.col("p"), 1.0 - pl.col("p")))["p"]


def _facts(
    strata: Strata,
    chosen: NDArray[np.int64],
    purely_random: NDArray[np.int64],
    spreads: NDArray[np.float64] | None,
) -> tuple[StratumFacts, ...]:
    import numpy as np

    count = len(strata.names)
    tables: Sequence[list[int]] = [
        np.bincount(codes, minlength=count).tolist()
        for codes in (strata.codes, strata.codes[chosen], strata.codes[purely_random])
    ]
    known: list[float | None] = [None] * count if spreads is None else [round(x, 4) for x in spreads.tolist()]
    return tuple(
        StratumFacts(name=name, traffic=held, sampled=got, random=random, spread=spread)
        for name, held, got, random, spread in zip(strata.names, *tables, known, strict=True)
    )


def reweighted(rows: pl.DataFrame, strata: Sequence[StratumFacts]) -> pl.DataFrame:
    """Weights anew for the rows of a sample that were labelled: those of a stratum stand for all of its traffic.

    The rows without a label are taken to be like the others of their stratum. UnusableInput when a stratum has none.
    """
    import polars as pl

    labelled = dict(rows[STRATUM].value_counts().rows())
    if empty := [each.name for each in strata if each.traffic and not labelled.get(each.name)]:
        raise UnusableInput(
            f"no row of {', '.join(empty[:5])} has a label: nothing could stand for that traffic",
            fix="label some of them",
        )
    held = {each.name: each.traffic for each in strata}
    weights = [held[name] / labelled[name] for name in rows[STRATUM].to_list()]
    return rows.with_columns(pl.Series(WEIGHT, weights, dtype=pl.Float64))
