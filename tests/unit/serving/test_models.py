from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from gatewright.domain.errors import UnusableInput
from gatewright.effects.files import measure_artifact, read_bytes
from gatewright.serving.models import PredictionFailed, load
from gatewright.serving.signature import parse_signature
from gatewright.serving.trees import check_trees
from tests.unit.serving.toy_model import SIGNATURE, write_estimator

ROWS = np.array([[10.0, 1.0], [50.0, 2.0]])
LABELS = np.array([0, 1])


def test_loads_with_the_digest_of_the_folder(artifact: Path) -> None:
    model = load(artifact)
    assert model.digest == measure_artifact(artifact).digest
    assert model.signature.names == ("AGE", "SEX")
    assert model.predict(np.array([[10.0, np.nan], [50.0, 2.0]])).tolist() == [0, 1]


def test_further_files_count_in_the_digest(artifact: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(artifact, tmp_path / "copy"))
    (copy / "notes").mkdir()
    (copy / "notes" / "readme.txt").write_text("hello")
    assert load(copy).digest == measure_artifact(copy).digest != load(artifact).digest


def test_digest_is_of_the_bytes_that_are_loaded(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(artifact, tmp_path / "copy"))
    before = measure_artifact(copy).digest

    def read_then_swapped(path: Path, limit: int) -> bytes:
        data = read_bytes(path, limit)
        path.write_bytes(b"swapped after it was read")
        return data

    monkeypatch.setattr("gatewright.serving.models.read_bytes", read_then_swapped)
    model = load(copy)
    assert model.digest == before
    assert model.predict(ROWS).tolist() == [0, 1]


@pytest.mark.parametrize(
    "estimator",
    [
        GradientBoostingClassifier(n_estimators=2),
        HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1),
        RandomForestClassifier(2),
        VotingClassifier([("tree", DecisionTreeClassifier())]),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_common_estimators_are_trusted(estimator: Any, tmp_path: Path) -> None:
    estimator.fit(ROWS.repeat(20, axis=0), LABELS.repeat(20))
    model = load(write_estimator(tmp_path / "model", estimator))
    assert model.predict(ROWS).tolist() == estimator.predict(ROWS).tolist()


def test_untrusted_types_are_refused_by_name(tmp_path: Path) -> None:
    folder = write_estimator(tmp_path / "model", KNeighborsClassifier(1, algorithm="kd_tree").fit(ROWS, LABELS))
    with pytest.raises(UnusableInput, match=r"not trusted: .*sklearn\.neighbors\._kd_tree\.KDTree"):
        load(folder)


def test_a_tree_that_points_outside_is_refused(fragile_artifact: Path) -> None:
    model = load(fragile_artifact)
    archive = (fragile_artifact / "model.skops").read_bytes()
    check_trees(model.estimator, archive)
    tree = model.estimator[-1].estimators_[0, 0].tree_
    state = tree.__getstate__()
    for field, value in (("left_child", 10**6), ("left_child", 0), ("feature", 7)):
        changed = {**state, "nodes": state["nodes"].copy()}
        changed["nodes"][field][0] = value
        tree.__setstate__(changed)
        with pytest.raises(UnusableInput, match="points outside"):
            check_trees(model.estimator, archive)


def test_a_tree_out_of_sight_is_refused(fragile_artifact: Path) -> None:
    archive = (fragile_artifact / "model.skops").read_bytes()
    with pytest.raises(UnusableInput, match="3 decision trees, of which 3 cannot be checked"):
        check_trees(object(), archive)


@pytest.mark.parametrize("name", ["model.pkl", "deep/model.joblib", "MODEL.PICKLE"])
def test_pickles_are_refused_by_name(artifact: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(artifact, tmp_path / "copy"))
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_bytes(b"")
    with pytest.raises(UnusableInput, match="is a pickle"):
        load(copy)


@pytest.mark.parametrize("content", [pickle.dumps(print), b"", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_skops_file_is_refused(artifact: Path, tmp_path: Path, content: bytes) -> None:
    copy = Path(shutil.copytree(artifact, tmp_path / "copy"))
    (copy / "model.skops").write_bytes(content)
    with pytest.raises(UnusableInput, match="no skops file"):
        load(copy)


@pytest.mark.parametrize("name", ["model.skops", "signature.json"])
def test_missing_files_are_named(artifact: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(artifact, tmp_path / "copy"))
    (copy / name).unlink()
    with pytest.raises(UnusableInput, match=f"{name} does not exist"):
        load(copy)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (np.array([0.0, np.nan]), "answered nan"),
        (np.array([0, 7]), r"answered 7; allowed: \[0, 1\]"),
        (np.array([0]), r"answered shape \(1,\) to 2 rows"),
        (np.array([[0], [1]]), r"answered shape \(2, 1\)"),
        (np.array(["0", "1"]), "allowed: numbers"),
    ],
)
def test_invalid_output_is_refused(artifact: Path, output: Any, reason: str) -> None:
    model = replace(load(artifact), estimator=SimpleNamespace(predict=lambda _: output))
    with pytest.raises(PredictionFailed, match=reason):
        model.predict(ROWS)


def test_a_model_that_raises_says_what(fragile_artifact: Path) -> None:
    with pytest.raises(PredictionFailed, match="the model raised ValueError: Input X contains NaN"):
        load(fragile_artifact).predict(np.array([[np.nan, 1.0]]))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": "pickle"}, "format: found 'pickle'; allowed: skops"),
        ({"task": "rank"}, "task: found 'rank'; allowed: binary, multiclass, regression"),
        ({"inputs": []}, "inputs: found"),
        ({"inputs": [*SIGNATURE["inputs"], SIGNATURE["inputs"][0]]}, "'AGE' a second time"),
        ({"inputs": [{"name": "AGE", "datatype": "BYTES"}]}, "datatype: found 'BYTES'"),
        ({"classes": [0, 1, 2]}, "classes: found"),
        ({"classes": [0, True]}, "classes: found"),
        ({"example": {"AGE": 1}}, "example: found"),
        ({"example": {"AGE": "old", "SEX": 1}}, "example.AGE: found 'old'"),
        ({"example": {"AGE": float("nan"), "SEX": 1}}, "example.AGE: found nan"),
        ({"colour": 1}, "colour: found unknown field"),
    ],
)
def test_signature_errors_tell_what_is_allowed(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UnusableInput) as caught:
        parse_signature(json.dumps({**SIGNATURE, **change}).encode(), "signature.json")
    assert complaint in str(caught.value)
    assert "allowed" in str(caught.value)


def test_signature_refuses_a_field_given_twice() -> None:
    with pytest.raises(UnusableInput, match="format: found given twice"):
        parse_signature(b'{"format": "pickle", "format": "skops"}', "signature.json")
