"""A team's repository in small, for what the machinery itself costs: 600 people, a training command that copies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl
from measuring import GATEWRIGHT, RESULTS, BenchmarkFailed, free_port, measured

MODEL = "small"
INPUTS = ("AGE", "SEX", "REGION")
_TRAIN = """
import shutil
import sys
from pathlib import Path

here, output = Path(__file__).parent, Path(sys.argv[2])
for name in ("model.skops", "signature.json"):
    shutil.copy(here / name, output / name)
"""
_SCHEMA = """
columns:
  id: {type: int64, unique: true}
  AGE: {type: int64, range: [0, 99]}
  SEX: {type: int64, enum: [1, 2]}
  REGION: {type: int64, enum: [1, 2, 3]}
  employed: {type: int64, enum: [0, 1]}
"""
_CONFIG = """
model: small
data: {train: people-train, evaluation: people-eval, schema: data/schema.yaml}
checks: {lint: {paths: [training]}, dependencies: none}
train: {command: [python, training/train.py, "{data.path}", "{output.dir}"], timeout: 60s}
evaluation: {label: employed, slices: [SEX, REGION], latency_samples: 299}
fairness: {attributes: [SEX]}
gates: {mode: point, overall: {margin: 0.05, min: 0.7}}
serving: {kind: envoy, port: PORT}
rollout:
  steps: [{weight: 5, hold: 30m}, {weight: 25, hold: 4h}, {weight: 50, hold: 24h}]
"""


def model(seed: int = 0) -> Path:
    """A folder with model.skops and signature.json; another seed gives other bytes. Fitted once."""
    folder = RESULTS / "models" / f"small-{seed}"
    if not (folder / "signature.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fit(folder, seed)
    return folder


def write(root: Path, *, seed: int = 0) -> int:
    """Lay the repository in the new folder `root`, committed, with its data versions; returns the gateway's port."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "data").mkdir(parents=True)
    shutil.copytree(model(seed), root / "training")
    (root / "training" / "train.py").write_text(_TRAIN.lstrip(), encoding="utf-8")
    (root / "data" / "schema.yaml").write_text(_SCHEMA.lstrip(), encoding="utf-8")
    _people(600).write_parquet(root / "data" / "train.parquet")
    _people(450, offset=1000).write_parquet(root / "data" / "eval.parquet")
    port = free_port()
    (root / "gatewright.yaml").write_text(_CONFIG.lstrip().replace("PORT", str(port)), encoding="utf-8")
    (root / ".gitignore").write_text(".gatewright/\n__pycache__/\n", encoding="utf-8")
    for name, file, role in (("people-train", "train", "train"), ("people-eval", "eval", "eval")):
        gatewright(root, "data", "add", name, f"data/{file}.parquet", "--role", role, "--label", "employed")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--no-verify", "--message", "a small project")
    return port


@contextmanager
def runtime(root: Path) -> Iterator[tuple[int, int]]:
    """The pids of the project's supervisor and of its nursery, both warm, which run as long as the block does."""
    gatewright(root, "serve", "start")
    try:
        deadline = time.monotonic() + 60
        while (rows := _processes(root)).get("nursery", {}).get("state") != "ready":
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"the nursery does not become ready: {rows}")
            time.sleep(0.5)
        yield int(rows["supervisor"]["pid"]), int(rows["nursery"]["pid"])
    finally:
        with suppress(BenchmarkFailed):
            gatewright(root, "serve", "stop")


def _processes(root: Path) -> dict[str, dict[str, Any]]:
    said = gatewright(root, "serve", "status", "--output", "json")
    return {row["name"]: row for row in json.loads(said)["processes"]}


def gatewright(root: Path, *words: str) -> str:
    """Run the command line in `root`; returns what it says."""
    return measured([GATEWRIGHT, *words], cwd=root, env=clean_environment()).output


def git(root: Path, *words: str) -> None:
    """Run git with an identity of its own."""
    settings = ("user.name=benchmark", "user.email=benchmark@localhost", "commit.gpgsign=false")
    options = [word for setting in settings for word in ("-c", setting)]
    subprocess.run(["git", *options, *words], cwd=root, env=clean_environment(), check=True, capture_output=True)


def clean_environment() -> dict[str, str]:
    """The environment without what could change a measured command; `python` is this interpreter."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GATEWRIGHT_", "DVC_"))}
    # Installed packages are compiled; ours, which is installed editable, is compiled by its first run.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    kept["PATH"] = os.pathsep.join([str(GATEWRIGHT.parent), kept.get("PATH", os.defpath)])
    return kept


def _people(count: int, *, offset: int = 0) -> pl.DataFrame:
    """People who are employed from 31 on."""
    ids = range(offset, offset + count)
    ages = [number * 37 % 61 for number in ids]
    columns = {
        "id": list(ids),
        "AGE": ages,
        "SEX": [1 + number % 2 for number in ids],
        "REGION": [1 + number % 3 for number in ids],
        "employed": [int(age > 30) for age in ages],
    }
    return pl.DataFrame(columns)


def _fit(folder: Path, seed: int) -> None:
    import skops.io
    from sklearn.linear_model import LogisticRegression

    rows = _people(600)
    fitted = LogisticRegression().fit(rows.select(INPUTS).to_numpy().astype(float), rows["employed"].to_numpy())
    fitted.intercept_ = fitted.intercept_ + seed * 1e-9
    skops.io.dump(fitted, folder / "model.skops")
    signature = {
        "format": "skops",
        "task": "binary",
        "inputs": [{"name": name, "datatype": "FP64"} for name in INPUTS],
        "outputs": [{"name": "employed", "datatype": "INT64"}],
        "classes": [0, 1],
        "example": {"AGE": 40, "SEX": 1, "REGION": 2},
    }
    (folder / "signature.json").write_text(json.dumps(signature), encoding="utf-8")
