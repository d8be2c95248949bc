"""Models are loaded by the model server and the evaluation subprocess alone: nobody else imports a framework."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "gatewright"
FRAMEWORKS = {
    "catboost", "joblib", "keras", "lightgbm", "mlflow", "onnx", "onnxruntime", "pandas", "sklearn", "skops",
    "tensorflow", "torch", "transformers", "xgboost",
}  # fmt: skip
LOADS = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
ROOMS = (
    "cli",
    "engine",
    "web",
    "workspace",
    "adapters",
    "config",
    "store",
    "ports",
    "rules",
    "effects",
    "stats",
    "domain",
)
CODE = """
import importlib, json, pkgutil, sys
import gatewright
found = [each.name for each in pkgutil.walk_packages(gatewright.__path__, "gatewright.")]
chosen = [name for name in found if name.split(".")[1] in set(sys.argv[1:]) and not name.endswith("_child")]
for name in chosen:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.startswith("gatewright"):
            raise
serving = [name for name in sys.modules if name.startswith("gatewright.serving.")]
print(json.dumps([chosen, sorted({name.partition(".")[0] for name in sys.modules}), serving]))
"""


def test_all_modules_of_cli_and_controller_together_load_no_framework() -> None:
    done = subprocess.run([sys.executable, "-c", CODE, *ROOMS], capture_output=True, text=True, check=True, timeout=100)
    chosen, loaded, serving = json.loads(done.stdout)
    assert {"gatewright.cli.main", "gatewright.engine.controller", "gatewright.engine.scoring"} <= set(chosen)
    assert len(chosen) > 200
    assert FRAMEWORKS & set(loaded) == set()
    assert serving == []  # the room that imports the code of models


# Copying the code of a model, and proving it against a commit, must leave it unread by Python's imports.
CARRY = """
import json, sys
from pathlib import Path
from gatewright.domain.project import TrainSection
from gatewright.engine.entry_code import carried_files, carry_code, entry_code
root = Path.cwd()
sys.path.insert(0, str(root))
section = TrainSection(command=("x",), format="entry", entry="own.model:load", allow_code=True)
code = entry_code(root, section)
carry_code(root, code, root / "out")
print(json.dumps([sorted(carried_files(root / "out")), sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_the_code_of_a_model_is_copied_without_being_imported(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "own" / "model.py").write_text("import torch\n\n\ndef load(folder):\n    return 1\n")
    words = [sys.executable, "-c", CARRY]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=100, cwd=tmp_path)
    files, loaded = json.loads(done.stdout)
    assert files == ["own/model.py"]
    assert {"own", *FRAMEWORKS} & set(loaded) == set()


def imported(path: Path) -> set[str]:
    """The first names of every module that a file imports, also within its functions."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_only_the_serving_room_names_a_framework_even_late() -> None:
    named = {
        path.relative_to(SOURCE).as_posix(): sorted(imported(path) & (FRAMEWORKS | LOADS))
        for path in SOURCE.rglob("*.py")
    }
    outside = {name: found for name, found in named.items() if found and not name.startswith("serving/")}
    # MLflow's client talks to a server over HTTP, pandera's child loads what pandera needs, separation fits a small
    # model of its own. None of them loads a model that somebody gave us.
    allowed = ("adapters/registries/mlflow", "adapters/checks/pandera_child", "engine/evalsets/separation.py")
    assert {name: found for name, found in outside.items() if not name.startswith(allowed)} == {}
    assert any(found for name, found in named.items() if name.startswith("serving/"))
