"""Folders as MLflow itself saves them: what is safe is loaded without MLflow, all else only with consent."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gatewright.config.mlmodel import read_mlmodel
from gatewright.domain.errors import StageFailed, UnusableInput
from gatewright.domain.project import TrainSection
from gatewright.effects.files import measure_artifact
from gatewright.engine.left_model import check_model
from gatewright.serving.models import PredictionFailed, load

pytestmark = [pytest.mark.xdist_group("mlflow-models"), pytest.mark.timeout(300)]

SAVE = """
import sys
import mlflow.pyfunc, mlflow.sklearn
import numpy as np
from sklearn.linear_model import LogisticRegression

rows = np.column_stack([np.arange(60.0), 1.0 + np.arange(60) % 2])
model = LogisticRegression().fit(rows, (rows[:, 0] > 30).astype(int))
mlflow.sklearn.save_model(model, sys.argv[1] + "/safe", serialization_format="skops", pip_requirements=[])
mlflow.sklearn.save_model(model, sys.argv[1] + "/pickled", serialization_format="cloudpickle", pip_requirements=[])

class Odd(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        assert list(model_input.columns) == ["AGE", "SEX"]
        assert str(model_input.dtypes["SEX"]) == "int64"
        return (model_input["AGE"] > 30).astype("int64")

mlflow.pyfunc.save_model(sys.argv[1] + "/own", python_model=Odd(), pip_requirements=[])
"""
SIGNATURE = {
    "format": "mlflow",
    "task": "binary",
    "inputs": [{"name": "AGE", "datatype": "FP64"}, {"name": "SEX", "datatype": "INT64"}],
    "outputs": [{"name": "employed", "datatype": "INT64"}],
    "classes": [0, 1],
    "example": {"AGE": 40.0, "SEX": 1},
}
ROWS = np.array([[10.0, 1.0], [50.0, 2.0]])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    done = subprocess.run([sys.executable, "-c", SAVE, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of what was saved under the name that the test gives, with a signature."""
    copy = tmp_path / "model"
    shutil.copytree(saved / request.param, copy)
    (copy / "signature.json").write_text(json.dumps(SIGNATURE))
    return copy


named = pytest.mark.parametrize


@named("folder", ["safe"], indirect=True)
def test_a_scikit_learn_model_in_skops_needs_neither_consent_nor_mlflow(folder: Path) -> None:
    script = (
        "import json, sys; import numpy as np; from pathlib import Path; from gatewright.serving.models import load;"
        "model = load(Path(sys.argv[1]));"
        "print(json.dumps([model.digest, model.predict(np.array(json.loads(sys.argv[2]))).tolist(),"
        "model.probabilities(np.array(json.loads(sys.argv[2]))).shape, 'mlflow' in sys.modules]))"
    )
    words = [sys.executable, "-c", script, str(folder), json.dumps(ROWS.tolist())]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [measure_artifact(folder).digest, [0, 1], [2, 2], False]
    check_model(folder, TrainSection(command=("x",), format="mlflow"))


@named("folder", ["pickled", "own"], indirect=True)
def test_what_runs_code_is_refused_after_training_and_when_it_is_loaded(folder: Path) -> None:
    assert read_mlmodel(folder).kind == "code"
    with pytest.raises(StageFailed, match="loading it runs code"):
        check_model(folder, TrainSection(command=("x",), format="mlflow"))
    with pytest.raises(UnusableInput, match="a pickle"):
        load(folder)
    for pickle in [*folder.rglob("*.pkl")]:
        pickle.rename(pickle.with_suffix(".bin"))
    with pytest.raises(UnusableInput, match=r"is not loaded: .*train\.allow_code|is not loaded"):
        load(folder)


@named("folder", ["pickled", "own"], indirect=True)
def test_with_consent_pyfunc_loads_it_and_answers(folder: Path) -> None:
    check_model(folder, TrainSection(command=("x",), format="mlflow", allow_code=True))
    model = load(folder, allow_code=True)
    assert model.digest == measure_artifact(folder).digest
    assert model.predict(ROWS).tolist() == [0, 1]
    assert model.probabilities(ROWS) is None
    with pytest.raises(PredictionFailed, match="SEX is an integer"):
        model.predict(np.array([[10.0, np.nan]]))


@named("folder", ["safe"], indirect=True)
@named(
    ("text", "says"),
    [
        ("flavors: {}", "has no flavor python_function"),
        ("- a\n- b", "has no flavor python_function"),
        ("a: [", "is no YAML"),
        (
            "flavors: {python_function: {loader_module: mlflow.sklearn}, "
            "sklearn: {serialization_format: skops, pickled_model: ../x}}",
            "leads out of",
        ),
        (
            "flavors: {python_function: {loader_module: mlflow.sklearn}, "
            "sklearn: {serialization_format: skops, pickled_model: absent}}",
            "no file of the folder",
        ),
    ],
)
def test_an_mlmodel_that_is_none_is_told(folder: Path, text: str, says: str) -> None:
    (folder / "MLmodel").write_text(text)
    with pytest.raises(UnusableInput, match=says):
        load(folder)
    with pytest.raises(StageFailed, match=says):
        check_model(folder, TrainSection(command=("x",), format="mlflow"))


@named("folder", ["safe"], indirect=True)
def test_types_that_only_the_folder_trusts_are_not_trusted(folder: Path) -> None:
    import skops.io
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    skops.io.dump(make_pipeline(FunctionTransformer(shutil.rmtree)), folder / "model.skops")
    described = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(
        described.replace("sklearn:", "sklearn:\n    skops_trusted_types: [shutil.rmtree]", 1)
    )
    with pytest.raises(UnusableInput, match=r"types that are not trusted: shutil\.rmtree"):
        load(folder)


def test_a_folder_without_its_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"left no MLmodel and no signature\.json"):
        check_model(tmp_path, TrainSection(command=("x",), format="mlflow"))
