"""ONNX models: a graph of standard operators that ONNX Runtime runs; no code of the file's choice, one thread.

The graph takes one tensor of [rows, inputs], or a tensor of [rows] or [rows, 1] for each input by its name. Its first
output is the answer: [rows] or [rows, 1], or for classes [rows, classes], of which the largest wins. A float output of
[rows, classes] whose name says `prob`, or a ZipMap of such, holds the probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.errors import UnusableInput
from gatewright.serving.signature import Signature

_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
# The key of a tensor whose bytes lie in another file, as protobuf writes it (onnx.proto, TensorProto.external_data).
_ELSEWHERE = b"\n\x08location\x12"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    name: str
    dtype: type[np.generic]
    flat: bool


class OnnxEstimator:
    """A graph that predicts like a fitted scikit-learn estimator."""

    def __init__(self, session: Any, inputs: Sequence[_Input], classes: tuple[int, ...] | None, errors: Any) -> None:
        self._session, self._inputs, self._errors = session, inputs, errors
        self._classes = classes
        names = [output.name for output in session.get_outputs()]
        self._answer = names[0]
        self._shares = next((name for name in names if "prob" in name.lower()), None)
        self.classes_ = classes if self._shares is not None else None  # whose probabilities are known

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[Any]:
        """(n, inputs) → (n,) what the first output answers."""
        answer = _table(self._run(self._answer, matrix), self._classes)
        if answer.ndim == 2 and answer.shape[1] == 1:
            return answer[:, 0]
        if answer.ndim == 2 and self._classes is not None and answer.shape[1] == len(self._classes):
            winners: NDArray[Any] = np.array(self._classes)[answer.argmax(axis=1)]
            return winners
        return answer

    def predict_proba(self, matrix: NDArray[np.float64]) -> NDArray[Any]:
        """(n, inputs) → (n, classes)."""
        return _table(self._run(str(self._shares), matrix), self._classes)

    def _run(self, output: str, matrix: NDArray[np.float64]) -> Any:
        try:
            return self._session.run([output], self._fed(matrix))[0]
        except self._errors as error:
            raise RuntimeError(str(error)) from error

    def _fed(self, matrix: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        whole = len(self._inputs) == 1 and not self._inputs[0].flat
        columns = [matrix] if whole else [matrix[:, [index]] for index in range(len(self._inputs))]
        return {each.name: _as_type(each, column) for each, column in zip(self._inputs, columns, strict=True)}


def revive_onnx(data: bytes, path: Path, signature: Signature) -> OnnxEstimator:
    """The model in `data`; UnusableInput without ONNX Runtime, and for a graph that cannot be run or does not fit."""
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    except ImportError as error:
        raise UnusableInput(
            f"{path} needs ONNX Runtime, which is not installed", fix="pip install 'gatewright[onnx]'"
        ) from error
    if _ELSEWHERE in data:
        raise UnusableInput(
            f"{path} keeps weights in another file, which nobody would prove",
            fix="save the model in one file: onnx.save(model, path, save_as_external_data=False)",
        )
    found = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
    errors: tuple[type[Exception], ...] = (*found, RuntimeError, ValueError, TypeError)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong comes as an exception
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except errors as error:
        raise UnusableInput(
            f"{path} is no ONNX model that can be run: {(str(error).splitlines() or [''])[0][:300]}",
            fix="check it with onnx.checker.check_model, and the opset against your version of ONNX Runtime",
        ) from error
    return OnnxEstimator(session, _inputs(session, path, signature), signature.classes, errors)


def _inputs(session: Any, path: Path, signature: Signature) -> list[_Input]:
    """The graph's inputs in the order of the signature's columns."""
    given = {each.name: each for each in session.get_inputs()}
    for each in given.values():
        if each.type not in _TYPES:
            raise UnusableInput(
                f"{path}: the input {each.name} is {each.type}; allowed: {', '.join(_TYPES)}",
                fix="convert the model with numeric inputs",
            )
    if len(given) == 1 and (len(signature.names) > 1 or next(iter(given)) not in signature.names):
        (one,) = given.values()
        width = one.shape[1] if len(one.shape) == 2 else None
        if len(one.shape) != 2 or (isinstance(width, int) and width != len(signature.names)):
            raise UnusableInput(
                f"{path}: the input {one.name} has shape {one.shape}, the signature {len(signature.names)} inputs",
                fix="let the graph take [rows, inputs], in the order of signature.json",
            )
        return [_Input(name=one.name, dtype=_TYPES[one.type], flat=False)]
    if set(given) != set(signature.names):
        raise UnusableInput(
            f"{path} takes {', '.join(given)}, the signature names {', '.join(signature.names)}",
            fix="let the graph take one tensor of [rows, inputs], or one for each input of signature.json by its name",
        )
    return [
        _Input(name=name, dtype=_TYPES[given[name].type], flat=len(given[name].shape) == 1) for name in signature.names
    ]


def _as_type(each: _Input, column: NDArray[np.float64]) -> NDArray[Any]:
    if np.issubdtype(each.dtype, np.integer) and not np.isfinite(column).all():
        raise ValueError(f"the input {each.name} is an integer and cannot be missing")
    return np.ascontiguousarray(column[:, 0] if each.flat else column).astype(each.dtype, copy=False)


def _table(found: Any, classes: tuple[int, ...] | None) -> NDArray[Any]:
    """An output as an array; a ZipMap, a list of {class: share}, in the order of the classes."""
    if isinstance(found, list) and found and isinstance(found[0], dict) and classes is not None:
        return np.array([[row[name] for name in classes] for row in found])
    return np.asarray(found)
