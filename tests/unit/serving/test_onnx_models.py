from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from gatewright.domain.errors import UnusableInput
from gatewright.effects.files import measure_artifact
from gatewright.serving.inference_protocol import model_metadata
from gatewright.serving.models import LoadedModel, PredictionFailed, load

GENERATOR = np.random.default_rng(0)
ROWS = np.column_stack([GENERATOR.uniform(0, 60, 300), GENERATOR.integers(1, 3, 300)]).astype(np.float32)
LABELS = (ROWS[:, 0] > 30).astype(np.int64)
NAMES = ("AGE", "SEX")


def write(folder: Path, model: bytes, *, task: str = "binary", classes: tuple[int, ...] = (0, 1)) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    signature: dict[str, Any] = {
        "format": "onnx",
        "task": task,
        "inputs": [{"name": name, "datatype": "FP32"} for name in NAMES],
        "outputs": [{"name": "employed", "datatype": "INT64"}],
        "example": {"AGE": 40.0, "SEX": 1.0},
    }
    if task != "regression":
        signature["classes"] = list(classes)
    (folder / "signature.json").write_text(json.dumps(signature))
    return folder


def converted(estimator: Any, **options: Any) -> bytes:
    return bytes(to_onnx(estimator, ROWS[:1], **options).SerializeToString())


def graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any]) -> bytes:
    made = helper.make_model(
        helper.make_graph(nodes, "toy", inputs, outputs, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def linear(output: str = "logits") -> bytes:
    """Class 1 from AGE 30 on, as two numbers of which the larger wins."""
    weights = [
        numpy_helper.from_array(np.array([[-1.0, 1.0], [0.0, 0.0]], np.float32), "w"),
        numpy_helper.from_array(np.array([30.0, -30.0], np.float32), "b"),
    ]
    return graph(
        [helper.make_node("Gemm", ["x", "w", "b"], [output])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, 2])],
        weights,
    )


@pytest.mark.parametrize("zipmap", [True, False])
def test_a_converted_classifier_answers_as_the_original(tmp_path: Path, zipmap: bool) -> None:
    estimator = GradientBoostingClassifier(n_estimators=5).fit(ROWS, LABELS)
    folder = write(tmp_path / "model", converted(estimator, options={"zipmap": zipmap}))
    model = load(folder)
    assert model.digest == measure_artifact(folder).digest
    matrix = ROWS.astype(np.float64)
    assert model.predict(matrix).tolist() == estimator.predict(ROWS).tolist()
    shares = model.probabilities(matrix)
    assert shares is not None
    np.testing.assert_allclose(shares, estimator.predict_proba(ROWS), atol=1e-5)
    assert model_metadata(model, "toy")["platform"] == "onnxruntime_onnx"


def test_classes_are_those_of_the_signature_in_its_order(tmp_path: Path) -> None:
    labels = np.array([7, 3, 5])[(ROWS[:, 0] // 20).astype(int) % 3]
    estimator = LogisticRegression(max_iter=500).fit(ROWS, labels)
    model = load(write(tmp_path / "model", converted(estimator), task="multiclass", classes=(7, 5, 3)))
    shares = model.probabilities(ROWS.astype(np.float64))
    assert shares is not None
    np.testing.assert_allclose(shares, estimator.predict_proba(ROWS)[:, [2, 1, 0]], atol=1e-5)


def test_regression_answers_numbers(tmp_path: Path) -> None:
    estimator = LinearRegression().fit(ROWS, ROWS[:, 0] * 2 + 1)
    model = load(write(tmp_path / "model", converted(estimator), task="regression"))
    np.testing.assert_allclose(model.predict(np.array([[10.0, 1.0]])), [21.0], rtol=1e-4)
    assert model.probabilities(np.array([[10.0, 1.0]])) is None


def test_the_largest_of_several_numbers_wins(tmp_path: Path) -> None:
    model = load(write(tmp_path / "model", linear()))
    assert model.predict(np.array([[10.0, 1.0], [50.0, 2.0]])).tolist() == [0, 1]
    assert model.probabilities(np.array([[10.0, 1.0]])) is None


def by_name(kind: int, shape: list[Any]) -> bytes:
    one, other = (helper.make_tensor_value_info(name, kind, shape) for name in ("SEX", "AGE"))
    answer = helper.make_tensor_value_info("answer", kind, shape)
    return graph([helper.make_node("Identity", ["AGE"], ["answer"])], [one, other], [answer], [])


@pytest.mark.parametrize("shape", [[None], [None, 1]])
def test_inputs_by_name_in_any_order(tmp_path: Path, shape: list[Any]) -> None:
    model = load(write(tmp_path / "model", by_name(TensorProto.DOUBLE, shape), task="regression"))
    assert model.predict(np.array([[10.0, 1.0], [50.0, 2.0]])).tolist() == [10.0, 50.0]


def test_a_missing_value_of_an_integer_input_is_refused(tmp_path: Path) -> None:
    model = load(write(tmp_path / "model", by_name(TensorProto.INT64, [None]), task="regression"))
    with pytest.raises(PredictionFailed, match="AGE is an integer and cannot be missing"):
        model.predict(np.array([[np.nan, 1.0]]))


def test_a_graph_that_fails_while_it_runs_says_so(tmp_path: Path) -> None:
    indices = numpy_helper.from_array(np.array(9, np.int64), "far")
    failing = graph(
        [helper.make_node("Gather", ["x", "far"], ["answer"], axis=1)],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None])],
        [indices],
    )
    model: LoadedModel = load(write(tmp_path / "model", failing, task="regression"))
    with pytest.raises(PredictionFailed, match="the model raised RuntimeError"):
        model.predict(np.array([[1.0, 1.0]]))


def outside() -> bytes:
    made = onnx.load_from_string(linear())
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "../../secret.bin"
    return bytes(made.SerializeToString())


def texts() -> bytes:
    text = helper.make_tensor_value_info("x", TensorProto.STRING, [None])
    answer = helper.make_tensor_value_info("answer", TensorProto.STRING, [None])
    return graph([helper.make_node("Identity", ["x"], ["answer"])], [text], [answer], [])


def wide() -> bytes:
    given, answer = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 5]) for name in ("x", "answer"))
    return graph([helper.make_node("Identity", ["x"], ["answer"])], [given], [answer], [])


def other_names() -> bytes:
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("AGE", "RACE")]
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None])
    return graph([helper.make_node("Add", ["AGE", "RACE"], ["answer"])], given, [answer], [])


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (b"no graph", "no ONNX model that can be run"),
        (outside(), "keeps weights in another file"),
        (texts(), r"the input x is tensor\(string\); allowed: tensor\(float\)"),
        (wide(), r"the input x has shape \[None, 5\], the signature 2 inputs"),
        (other_names(), "takes AGE, RACE, the signature names AGE, SEX"),
    ],
    ids=["bytes", "outside", "texts", "wide", "names"],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, model: bytes, complaint: str) -> None:
    with pytest.raises(UnusableInput, match=complaint):
        load(write(tmp_path / "model", model, task="regression"))


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "model", linear())
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(UnusableInput, match="ONNX Runtime, which is not installed") as refused:
        load(folder)
    assert refused.value.fix == "pip install 'gatewright[onnx]'"
