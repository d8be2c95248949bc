"""Models that the team's own code loads: from the copy that the model carries, whatever lies in the working tree."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gatewright.config.entry import Entry, entry_document
from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.effects.files import measure_artifact
from gatewright.serving.entry_models import EntryEstimator
from gatewright.serving.models import LoadedModel, PredictionFailed, load
from tests.unit.serving.toy_model import SIGNATURE

ROWS = np.array([[10.0, 1.0], [50.0, np.nan]])
MODEL = """
import json

from own.steps import threshold


class Model:
    def __init__(self, folder):
        self.weights = json.loads((folder / "weights.json").read_text())

    def predict(self, matrix):
        return (matrix[:, 0] > threshold(self.weights)).astype(int)
"""
PREDICT = "    def predict(self, matrix):\n"
STEPS = "def threshold(weights):\n    return weights['from'] + {more}\n"
LOAD = "\n\ndef load(folder):\n    return Model(folder)\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that works in a working tree of its own, and whose table of modules is left as it was."""
    tree = tmp_path / "tree"
    tree.mkdir()
    monkeypatch.chdir(tree)
    monkeypatch.syspath_prepend(str(tree))
    known, finders = dict(sys.modules), list(sys.meta_path)
    yield
    from gatewright.serving.entry_models import CarriedCode

    if CarriedCode._in_place is not None:
        CarriedCode._in_place.step_aside()
    assert sys.meta_path == finders
    assert [name for name in sys.modules.keys() - known.keys() if name.partition(".")[0] in ("own", "model")] == []


def write_model(folder: Path, *, entry: str = "own.model:load", weights: int = 30, **files: str) -> Path:
    """A model with the package `own`; `files` replace those of its code, by name without the ending."""
    code = {"own/model": MODEL + LOAD, "own/steps": STEPS.format(more=0)} | files
    for name, text in code.items():
        path = folder / "code" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    module, _, function = entry.partition(":")
    (folder / "entry.json").write_bytes(entry_document(Entry(module=module, function=function)))
    (folder / "weights.json").write_text(json.dumps({"from": weights}))
    (folder / "signature.json").write_text(json.dumps(SIGNATURE | {"format": "entry"}))
    return folder


def loaded(folder: Path) -> LoadedModel:
    return load(folder, allow_code=True)


def test_it_answers_by_its_own_code_and_proves_the_digest_of_it_all(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one")
    model = loaded(folder)
    assert model.predict(ROWS).tolist() == [0, 1]
    assert model.probabilities(ROWS) is None
    assert model.digest == measure_artifact(folder).digest
    assert [path for path in folder.rglob("*") if "__pycache__" in path.parts] == []
    (folder / "code" / "own" / "steps.py").write_text(STEPS.format(more=1))
    assert measure_artifact(folder).digest != model.digest


def test_the_working_tree_is_never_asked(tmp_path: Path) -> None:
    tree = Path.cwd()
    (tree / "own").mkdir()
    (tree / "own" / "__init__.py").write_text("raise RuntimeError('the working tree')")
    (tree / "own" / "steps.py").write_text("raise RuntimeError('the working tree')")
    assert loaded(write_model(tmp_path / "one")).predict(ROWS).tolist() == [0, 1]
    (tree / "features.py").write_text("x = 1")
    later = MODEL.replace(PREDICT, PREDICT + "        import features\n")
    with pytest.raises(PredictionFailed, match=r"features lies in the working tree .* train\.entry_code"):
        loaded(write_model(tmp_path / "late", **{"own/model": later + LOAD})).predict(ROWS)
    with pytest.raises(UnusableInput, match="features lies in the working tree"):
        loaded(write_model(tmp_path / "two", **{"own/steps": "import features\n" + STEPS.format(more=0)}))


def test_two_versions_of_the_code_live_in_one_process_and_import_late_each_its_own(tmp_path: Path) -> None:
    late = "from own.steps import threshold\n"
    late = MODEL.replace(late, "").replace(PREDICT, PREDICT + "        " + late)
    old = loaded(write_model(tmp_path / "old", **{"own/model": late + LOAD}))
    new = loaded(write_model(tmp_path / "new", **{"own/model": late + LOAD, "own/steps": STEPS.format(more=100)}))
    for _ in range(2):
        assert old.predict(ROWS).tolist() == [0, 1]
        assert new.predict(ROWS).tolist() == [0, 0]


def test_a_module_of_one_file_and_a_pickle_of_its_class_are_fine_with_consent(tmp_path: Path) -> None:
    simple = (
        f"import pickle\n\n\nclass Model:\n{PREDICT}        return (matrix[:, 0] > 30).astype(int)\n\n\n"
        "def load(folder):\n    return pickle.loads((folder / 'model.pkl').read_bytes())\n"
    )
    folder = write_model(tmp_path / "one", entry="model:load", model=simple)
    (folder / "model.pkl").write_bytes(b"cmodel\nModel\n(tR.")  # calls model.Model()
    with pytest.raises(ModuleNotFoundError):
        pickle.loads((folder / "model.pkl").read_bytes())
    assert loaded(folder).predict(ROWS).tolist() == [0, 1]


def test_probabilities_are_in_the_order_of_the_signature_unless_the_model_says_otherwise(tmp_path: Path) -> None:
    shares = "    def predict_proba(self, matrix):\n        return [[0.75, 0.25]] * len(matrix)\n"
    found = loaded(write_model(tmp_path / "one", **{"own/model": MODEL + shares + LOAD})).probabilities(ROWS)
    assert found is not None
    assert found.tolist() == [[0.75, 0.25]] * 2
    turned = MODEL + shares + "\n    classes_ = [1, 0]\n" + LOAD
    found = loaded(write_model(tmp_path / "two", **{"own/model": turned})).probabilities(ROWS)
    assert found is not None
    assert found.tolist() == [[0.25, 0.75]] * 2


def test_nothing_of_it_runs_without_consent(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", **{"own/model": "raise SystemExit('it ran')"})
    with pytest.raises(UnusableInput, match="runs the code that it brings") as refused:
        load(folder)
    assert "train.allow_code: true" in refused.value.fix
    (folder / "model.pkl").write_bytes(b"x")
    with pytest.raises(UnusableInput, match="a pickle"):
        load(folder)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("raise SystemExit('at once')", "SystemExit: at once"),
        ("class Odd(Exception):\n    pass\n\n\ndef load(folder):\n    raise Odd('no')\n", "RuntimeError: Odd: no"),
        ("import nowhere_to_be_found\n", "nowhere_to_be_found"),
        ("def other(folder):\n    return 1\n", "has no function load"),
        ("def load(folder):\n    return 1\n", "returned a int, which cannot predict"),
        ("def load(\n", "SyntaxError"),
    ],
)
def test_code_that_loads_nothing_is_told_in_one_line(tmp_path: Path, model: str, told: str) -> None:
    with pytest.raises(UnusableInput, match=told):
        loaded(write_model(tmp_path / "one", **{"own/model": model}))


def test_whatever_it_raises_while_it_predicts_is_a_failed_prediction(tmp_path: Path) -> None:
    odd = "class Odd(Exception):\n    pass\n\n\nclass Model:\n    def predict(self, matrix):\n        raise Odd('no')\n"
    model = loaded(write_model(tmp_path / "one", **{"own/model": odd + "\n\ndef load(folder):\n    return Model()\n"}))
    with pytest.raises(PredictionFailed, match="Odd: no"):
        model.predict(ROWS)


def test_a_model_that_writes_into_its_folder_while_it_is_loaded_is_refused(tmp_path: Path) -> None:
    writing = MODEL + "\n\ndef load(folder):\n    (folder / 'cache').write_text('x')\n    return Model(folder)\n"
    with pytest.raises(DigestChanged, match="the artifact"):
        loaded(write_model(tmp_path / "one", **{"own/model": writing}))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("{}", "is not of the form"),
        ("[", "is no JSON"),
        ('{"form": "gatewright/entry/1", "entry": "own.model"}', "no module:function"),
        ('{"form": "gatewright/entry/1", "entry": "gone:load"}', "carries no gone.py"),
    ],
)
def test_a_folder_that_names_no_function_is_refused(tmp_path: Path, document: str, told: str) -> None:
    folder = write_model(tmp_path / "one")
    (folder / "entry.json").write_text(document)
    with pytest.raises(UnusableInput, match=told):
        loaded(folder)


def test_the_name_of_a_package_that_is_loaded_already_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="loaded already: numpy"):
        loaded(write_model(tmp_path / "one", entry="numpy.own:load", **{"numpy/own": MODEL + LOAD}))


def test_a_switch_between_two_models_leaves_each_its_modules(tmp_path: Path) -> None:
    old, new = (loaded(write_model(tmp_path / name)) for name in ("old", "new"))
    assert isinstance(old.estimator, EntryEstimator)
    old.predict(ROWS)
    mine = sys.modules["own.steps"]
    new.predict(ROWS)
    assert sys.modules["own.steps"] is not mine
    old.predict(ROWS)
    assert sys.modules["own.steps"] is mine
