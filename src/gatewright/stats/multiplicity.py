"""p-values corrected for how many questions were asked.

Sources: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. Statistics 6 (1979)
65-70. Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", J. Royal Statistical Society B 57 (1995)
289-300. In adjusted form: S. P. Wright, Biometrics 48 (1992) 1005-1013.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gatewright.stats.arrays import Floats, Ints, shares


def holm(p: ArrayLike) -> Floats:
    """Adjusted p-values (k,) in the order of `p` (k,): rejecting those <= alpha errs at all with probability <= alpha.

    The i-th smallest of k becomes the largest (k - j + 1) p_(j) over j <= i, at most 1. Valid under any dependence.
    Empty gives empty. ValueError for NaN, values outside [0, 1], or more than one dimension.
    """
    values, order = _sorted(p)
    steps = np.arange(values.size, 0, -1)
    return _in_order(np.minimum(np.maximum.accumulate(steps * values[order]), 1.0), order)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjusted p-values (k,) in the order of `p` (k,): of those <= q, a share <= q is expected to be false.

    The i-th smallest of k becomes the smallest k/j p_(j) over j >= i, at most 1. Valid for independent or positively
    dependent p-values. Empty gives empty; errors as in `holm`.
    """
    values, order = _sorted(p)
    scaled = values[order] * (values.size / np.arange(1, values.size + 1))
    return _in_order(np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0), order)


def _sorted(p: ArrayLike) -> tuple[Floats, Ints]:
    values = shares("p", p)
    if values.ndim != 1:
        raise ValueError(f"p has shape {values.shape}; one dimension is needed")
    return values, np.argsort(values, kind="stable")


def _in_order(adjusted: Floats, order: Ints) -> Floats:
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result
