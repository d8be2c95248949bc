"""Folders that MLflow has saved: skops and ONNX inside of them as everywhere here, all else by pyfunc with consent.

MLflow takes the types that skops may trust from the folder itself; here they are those of models.py. What needs
`train.allow_code` is loaded by `mlflow.pyfunc.load_model`, which may run any code that the folder brings.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.config.mlmodel import MlModel, needs_consent
from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.effects.files import measure_artifact
from gatewright.serving.signature import Signature

_LOADER_ERRORS = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
_INTEGERS = {"INT64": np.int64, "INT32": np.int32}
_FLOATS = {"FP64": np.float64, "FP32": np.float32}


class PyfuncEstimator:
    """A pyfunc model that predicts like a fitted estimator, given a frame with the columns of the signature."""

    classes_ = None
    """Nobody says whose probabilities a pyfunc answers."""

    def __init__(self, model: Any, signature: Signature, errors: type[Exception]) -> None:
        self._model, self._signature, self._errors = model, signature, errors

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[Any]:
        """(n, inputs) → (n,) what the model answers."""
        import pandas as pd

        columns = {
            column.name: _as_type(column.name, column.datatype, matrix[:, index])
            for index, column in enumerate(self._signature.inputs)
        }
        try:
            answer = np.asarray(self._model.predict(pd.DataFrame(columns)))
        except self._errors as error:
            raise RuntimeError(str(error)) from error
        return answer[:, 0] if answer.ndim == 2 and answer.shape[1] == 1 else answer


def load_pyfunc(folder: Path, found: MlModel, signature: Signature, *, allow_code: bool) -> tuple[Any, str]:
    """The estimator and the digest of the folder, which is the same before and after; UnusableInput without consent.

    The bytes are read by MLflow, not from memory: who may write into the folder while it is read could deceive this.
    """
    if not allow_code:
        raise UnusableInput(
            f"{folder} is not loaded: {needs_consent(found)}",
            fix="save it as skops or ONNX, or allow it in gatewright.yaml: train.allow_code: true",
        )
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a model server calls nobody
    before = measure_artifact(folder).digest
    try:
        import mlflow.pyfunc
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise UnusableInput(
            f"{folder} needs {error.name}, which is not installed", fix="pip install 'gatewright[mlflow]'"
        ) from error
    try:
        model = mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
    except (MlflowException, *_LOADER_ERRORS) as error:
        raise UnusableInput(
            f"{folder} cannot be loaded by {found.called}: {type(error).__name__}: "
            f"{(str(error).splitlines() or [''])[0][:300]}",
            fix="install here what the model needs (its requirements.txt), in the versions that it was saved with",
        ) from error
    after = measure_artifact(folder).digest
    if after != before:
        raise DigestChanged(f"the artifact {folder}", recorded=before, found=after)
    return PyfuncEstimator(model, signature, MlflowException), after


def _as_type(name: str, datatype: str, column: NDArray[np.float64]) -> NDArray[Any]:
    """A column as the signature declares it; ValueError for a missing integer."""
    if (integer := _INTEGERS.get(datatype)) is None:
        return column.astype(_FLOATS[datatype])
    if not np.isfinite(column).all():
        raise ValueError(f"the input {name} is an integer and cannot be missing")
    return column.astype(integer)
