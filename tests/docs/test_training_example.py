"""The model of docs/training.md that code of one's own loads: configured, carried and loaded as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from gatewright.domain.project import TrainSection
from gatewright.engine.entry_code import carry_code, entry_code
from gatewright.serving.entry_models import EntryEstimator
from gatewright.serving.models import load

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_example_of_code_of_your_own_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    part = PAGE.split("## Code of your own\n")[1]
    (config,) = re.findall(r"```yaml\n(.*?)```", part, re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    told = yaml.safe_load(config)["train"]
    section = TrainSection(**{**told, "command": tuple(told["command"])})
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "model.py").write_text(code)
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.json").write_text(json.dumps({"weights": [1.0, 0.0], "bias": -30.0}))
    signature = {
        "format": "entry",
        "task": "binary",
        "inputs": [{"name": name, "datatype": "FP64"} for name in ("AGEP", "SEX")],
        "outputs": [{"name": "employed", "datatype": "INT64"}],
        "classes": [0, 1],
        "example": {"AGEP": 42.0, "SEX": 2.0},
    }
    (model / "signature.json").write_text(json.dumps(signature))
    found = entry_code(tmp_path, section)
    assert found is not None
    carry_code(tmp_path, found, model)
    loaded = load(model, allow_code=section.allow_code)
    assert isinstance(loaded.estimator, EntryEstimator)
    try:
        rows = np.array([[20.0, 1.0], [42.0, np.nan]])
        assert loaded.predict(rows).tolist() == [0, 1]
        shares = loaded.probabilities(rows)
        assert shares is not None
        assert shares[:, 1].tolist() == pytest.approx([1 / (1 + np.exp(10.0)), 1 / (1 + np.exp(-12.0))])
    finally:
        loaded.estimator.code.step_aside()
