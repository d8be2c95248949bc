"""What the statistics of the gates take and give: arrays of float64, refused with a reason where they make no sense."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def counts(name: str, values: ArrayLike) -> Floats:
    """`values` as float64 (exact up to 2^53); ValueError unless all are whole numbers from 0."""
    array = np.asarray(values, dtype=np.float64)
    return _refuse(name, array, (array >= 0.0) & (array == np.floor(array)) & (array < np.inf), "whole numbers from 0")


def finite(name: str, values: ArrayLike) -> Floats:
    """`values` as float64; ValueError for NaN and infinity."""
    array = np.asarray(values, dtype=np.float64)
    return _refuse(name, array, np.isfinite(array), "finite numbers")


def at_least_zero(name: str, values: ArrayLike) -> Floats:
    """`values` as float64; ValueError unless all are finite and 0 or more."""
    array = np.asarray(values, dtype=np.float64)
    return _refuse(name, array, (array >= 0.0) & (array < np.inf), "finite numbers from 0")


def shares(name: str, values: ArrayLike) -> Floats:
    """`values` as float64; ValueError unless all are in [0, 1]."""
    array = np.asarray(values, dtype=np.float64)
    return _refuse(name, array, (array >= 0.0) & (array <= 1.0), "numbers in [0, 1]")


def between(name: str, values: ArrayLike, low: float, high: float) -> Floats:
    """`values` as float64; ValueError unless all lie strictly between `low` and `high`."""
    array = np.asarray(values, dtype=np.float64)
    return _refuse(name, array, (array > low) & (array < high), f"numbers between {low:g} and {high:g}")


def series(name: str, values: ArrayLike) -> Floats:
    """`values` as a one-dimensional float64 array with at least one value; ValueError for NaN and infinity."""
    array = finite(name, values)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} has shape {array.shape}; one dimension with at least one value is needed")
    return array


def _refuse(name: str, array: Floats, fits: NDArray[np.bool_], wanted: str) -> Floats:
    if not fits.all():
        raise ValueError(f"{name} contains {float(array[~fits].flat[0])!r}; {wanted} are needed")
    return array
