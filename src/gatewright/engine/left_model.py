"""What the training command left: the files of the declared format, and of MLflow a folder that may be loaded."""

from __future__ import annotations

from pathlib import Path

from gatewright.config.mlmodel import MLMODEL_FILE, needs_consent, read_mlmodel
from gatewright.domain.documents import read_json
from gatewright.domain.errors import StageFailed, UnusableInput
from gatewright.domain.project import TrainSection
from gatewright.effects.files import read_bytes

SIGNATURE_FILE = "signature.json"
_LIMIT = 1 << 20


def check_model(output: Path, section: TrainSection) -> None:
    """StageFailed, which a new try may mend, when `output` holds no model of the format; nothing is loaded."""
    model = {"mlflow": (MLMODEL_FILE,), "entry": ()}.get(section.format, (f"model.{section.format}",))
    if missing := [name for name in (*model, SIGNATURE_FILE) if not (output / name).is_file()]:
        raise StageFailed(
            f"the training command ended well but left no {' and no '.join(missing)} in {output}",
            fix="write them into {output.dir}; see docs/training.md",
            final=False,
        )
    if section.format == "entry":
        _check_declared(output / SIGNATURE_FILE)
    if section.format == "mlflow":
        _check_folder(output, section)


def _check_declared(path: Path) -> None:
    """The signature has to say that the team's code loads the model: the model server goes by it."""
    try:
        declared = read_json(read_bytes(path, _LIMIT)).get("format")
    except (ValueError, RecursionError) as error:
        raise StageFailed(f"the training command left no JSON in {path}: {error}", final=False) from error
    if declared != "entry":
        raise StageFailed(
            f"{path} says format {declared!r}, and train.format is entry",
            fix='write "format": "entry" there, or another train.format',
            final=False,
        )


def _check_folder(output: Path, section: TrainSection) -> None:
    try:
        found = read_mlmodel(output)
    except UnusableInput as error:
        raise StageFailed(
            f"the training command left a model that cannot be used: {error}", fix=error.fix, final=False
        ) from error
    if found.kind == "code" and not section.allow_code:
        raise StageFailed(
            f"the model in {output} is refused: {needs_consent(found)}",
            fix="save it as skops or ONNX (mlflow.sklearn does by default), or say train.allow_code: true",
            final=False,
        )
