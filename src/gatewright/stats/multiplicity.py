"""p-values corrected for how many questions were asked.

Sources: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. Statistics 6 (1979)
65-70. Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", J. Royal Statistical Society B 57 (1995)
289-300. In adjusted form: S. P. Wright, Biometrics 48 (1992) 1005-1013.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gatewright.stats.arrays import Floats, shares


def holm(p: ArrayLike) -> Floats:
    """Adjusted p-values in the order of `p` (..., k): rejecting those <= alpha errs at all with probability <= alpha.

    The i-th smallest of k becomes the largest (k - j + 1) p_(j) over j <= i, at most 1. Valid under any dependence.
    Families lie along the last axis. Empty gives empty. ValueError for NaN or values outside [0, 1].
    """
    values = shares("p", p)
    if not values.ndim:
        raise ValueError("p is a single number; an array of them is needed")
    order = np.argsort(values, axis=-1, kind="stable")
    steps = np.arange(values.shape[-1], 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(steps * np.take_along_axis(values, order, axis=-1), axis=-1), 1.0)
    result = np.empty_like(adjusted)
    np.put_along_axis(result, order, adjusted, axis=-1)
    return result


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjusted p-values (k,) in the order of `p` (k,): of those <= q, a share <= q is expected to be false.

    The i-th smallest of k becomes the smallest k/j p_(j) over j >= i, at most 1. Valid for independent or positively
    dependent p-values. Empty gives empty. ValueError as in `holm`, or for more than one dimension.
    """
    values = shares("p", p)
    if values.ndim != 1:
        raise ValueError(f"p has shape {values.shape}; one dimension is needed")
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (values.size / np.arange(1, values.size + 1))
    result = np.empty_like(scaled)
    result[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return result
