"""The Open Inference Protocol, version 2, over HTTP: metadata, and tensors to rows and back.

Specification: github.com/kserve/open-inference-protocol, `specification/protocol/inference_rest.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright import __version__
from gatewright.serving.models import LoadedModel
from gatewright.serving.requests import BadRequest, check_row_count, finite_matrix
from gatewright.serving.signature import Column

DATATYPES = (
    "FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8", "BOOL",
)  # fmt: skip
_FIELDS = ("id", "parameters", "inputs", "outputs")
_BAD = 400
_PLATFORMS = {"skops": "sklearn_skops", "onnx": "onnxruntime_onnx", "mlflow": "mlflow_pyfunc", "entry": "python_entry"}


def server_metadata() -> dict[str, object]:
    return {"name": "gatewright", "version": __version__, "extensions": []}


def model_metadata(model: LoadedModel, name: str) -> dict[str, object]:
    """Every input is a tensor of n rows; a request may also shape it [n, 1]."""
    return {
        "name": name,
        "versions": [model.short_digest],
        "platform": _PLATFORMS[model.signature.format],
        "inputs": [_tensor(column) for column in model.signature.inputs],
        "outputs": [_tensor(model.signature.output)],
        "parameters": {"digest": model.digest},
    }


def read_infer(document: Mapping[str, Any], model: LoadedModel) -> NDArray[np.float64]:
    """The rows (n, inputs) of an inference request; null is NaN. BadRequest (400) tells what does not fit."""
    for field in document:
        if field not in _FIELDS:
            raise BadRequest("unknown field", where=f"{field:.80}", allowed=", ".join(_FIELDS), status=_BAD)
    if not isinstance(document.get("id", ""), str):
        raise BadRequest("not a text", where="id", allowed="a text", status=_BAD)
    _check_outputs(document.get("outputs", []), model.signature.output.name)
    tensors = document.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        raise BadRequest("no inputs", where="inputs", allowed="a list of tensors", status=_BAD)
    columns: dict[str, list[float | None]] = {}
    for index, tensor in enumerate(tensors):
        name = _name(tensor, f"inputs[{index}]", model.signature.names)
        if name in columns:
            raise BadRequest(f"{name} is given twice", where=f"inputs[{index}]", allowed="once", status=_BAD)
        columns[name] = _values(tensor, f"inputs[{index}]")
    return _rows(columns, model.signature.names)


def infer_response(
    answers: NDArray[Any], model: LoadedModel, name: str, request: Mapping[str, Any]
) -> dict[str, object]:
    output = model.signature.output
    tensor = {
        "name": output.name,
        "shape": [len(answers)],
        "datatype": output.datatype,
        "data": answers.tolist(),
    }
    identity = {"id": request["id"]} if "id" in request else {}
    return {
        "model_name": name,
        "model_version": model.short_digest,
        **identity,
        "outputs": [tensor],
        "parameters": {"digest": model.digest},
    }


def _tensor(column: Column) -> dict[str, object]:
    return {"name": column.name, "datatype": column.datatype, "shape": [-1]}


def _check_outputs(outputs: object, name: str) -> None:
    wanted = outputs if isinstance(outputs, list) else [None]
    if any(not isinstance(output, dict) or output.get("name") != name for output in wanted):
        raise BadRequest("unknown output", where="outputs", allowed=name, status=_BAD)


def _name(tensor: object, where: str, names: tuple[str, ...]) -> str:
    name = tensor.get("name") if isinstance(tensor, dict) else None
    if name not in names:
        raise BadRequest(f"unknown input {name!r:.80}", where=f"{where}.name", allowed=", ".join(names), status=_BAD)
    return str(name)


def _values(tensor: Mapping[str, Any], where: str) -> list[float | None]:
    shape, datatype, data = tensor.get("shape"), tensor.get("datatype"), tensor.get("data")
    if not isinstance(shape, list) or not _is_column(shape):
        raise BadRequest(f"{shape!r:.80}", where=f"{where}.shape", allowed="[n] or [n, 1]", status=_BAD)
    if datatype not in DATATYPES:
        raise BadRequest(f"{datatype!r:.80}", where=f"{where}.datatype", allowed=", ".join(DATATYPES), status=_BAD)
    values = data if isinstance(data, list) else []
    if len(shape) == 2:
        values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    if not isinstance(data, list) or len(values) != shape[0]:
        what = "not as many values as the shape says"
        raise BadRequest(what, where=f"{where}.data", allowed=f"{shape[0]} values", status=_BAD)
    kinds = (bool,) if datatype == "BOOL" else (int, float)
    for index, value in enumerate(values):
        if value is not None and type(value) not in kinds:
            place = f"{where}.data[{index}]"
            raise BadRequest(f"{value!r:.80}", where=place, allowed=f"{datatype} or null", status=_BAD)
    return values


def _is_column(shape: list[Any]) -> bool:
    return all(type(size) is int and size >= 0 for size in shape) and (
        len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    )


def _rows(columns: Mapping[str, list[float | None]], names: tuple[str, ...]) -> NDArray[np.float64]:
    if missing := [name for name in names if name not in columns]:
        what = f"missing: {', '.join(missing)}"
        raise BadRequest(what, where="inputs", allowed="every input of the model", status=_BAD)
    sizes = {len(values) for values in columns.values()}
    if len(sizes) != 1:
        raise BadRequest("tensors of different lengths", where="inputs", allowed="one length", status=_BAD)
    check_row_count(sizes.pop(), "inputs")
    rows = list(zip(*(columns[name] for name in names), strict=True))
    return finite_matrix(rows, lambda row, column: f"{names[column]}[{row}]")
