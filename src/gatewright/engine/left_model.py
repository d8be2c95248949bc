"""What the training command left: the files of the declared format, and of MLflow a folder that may be loaded."""

from __future__ import annotations

from pathlib import Path

from gatewright.config.mlmodel import MLMODEL_FILE, needs_consent, read_mlmodel
from gatewright.domain.errors import StageFailed, UnusableInput
from gatewright.domain.project import TrainSection

SIGNATURE_FILE = "signature.json"


def check_model(output: Path, section: TrainSection) -> None:
    """StageFailed, which a new try may mend, when `output` holds no model of the format; nothing is loaded."""
    model = MLMODEL_FILE if section.format == "mlflow" else f"model.{section.format}"
    if missing := [name for name in (model, SIGNATURE_FILE) if not (output / name).is_file()]:
        raise StageFailed(
            f"the training command ended well but left no {' and no '.join(missing)} in {output}",
            fix="write them into {output.dir}; see docs/training.md",
            final=False,
        )
    if section.format != "mlflow":
        return
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
