"""`MLmodel`: what a folder that MLflow has saved holds, and whether loading it runs code of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from gatewright.domain.errors import Place, UnusableInput
from gatewright.effects.files import read_bytes, safe_join

MLMODEL_FILE = "MLmodel"
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MlModel:
    """`kind`: `skops` and `onnx` name a `file` that is loaded without running code of the folder; `code` does not.

    `called` says which of MLflow's loaders would load it.
    """

    kind: Literal["skops", "onnx", "code"]
    called: str
    file: str | None = None


def read_mlmodel(folder: Path) -> MlModel:
    """What `folder` holds; UnusableInput when it is no model of MLflow, or one that only another tool can load."""
    path = folder / MLMODEL_FILE
    data = read_bytes(path, _LIMIT)
    try:
        document = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unusable(path, "is no YAML") from error
    flavors = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(flavors, dict) or not isinstance(python := flavors.get("python_function"), dict):
        raise _unusable(path, "has no flavor python_function")
    loader = str(python.get("loader_module", ""))
    sklearn, onnx = _flavor(flavors, "sklearn"), _flavor(flavors, "onnx")
    whole = "code" not in python and not python.get("config")
    if whole and loader == "mlflow.sklearn" and sklearn.get("serialization_format") == "skops":
        return MlModel(kind="skops", called=loader, file=_inside(folder, path, sklearn.get("pickled_model")))
    if whole and loader == "mlflow.onnx":
        return MlModel(kind="onnx", called=loader, file=_inside(folder, path, onnx.get("data")))
    return MlModel(kind="code", called=loader or "no loader")


def needs_consent(found: MlModel) -> str:
    """Why such a folder is not loaded unless `train.allow_code` says so."""
    return f"loading it runs code that the folder brings or names ({found.called}), a pickle or a loader of its own"


def _flavor(flavors: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = flavors.get(name)
    return found if isinstance(found, dict) else {}


def _inside(folder: Path, path: Path, name: object) -> str:
    if not isinstance(name, str) or not safe_join(folder, name).is_file():
        raise _unusable(path, f"names {name!r}, which is no file of the folder")
    return name


def _unusable(path: Path, what: str) -> UnusableInput:
    return UnusableInput(
        f"{path.name} {what}", fix="save the model with save_model of its mlflow flavor", where=Place(file=str(path))
    )
