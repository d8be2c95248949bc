"""A project to see it work: invented customers, and a training script of a page. No person is behind any row."""

from __future__ import annotations

from hashlib import sha256

from gatewright.domain.adoption import LabelFacts, Target
from gatewright.rules.adoption.proposal import Proposal

TRAIN_FILE, EVALUATION_FILE, SCRIPT = "data/customers-train.csv", "data/customers-eval.csv", "training/train.py"
_TRAIN_ROWS, _EVALUATION_ROWS = 3000, 2000
_HEADER = "id,age,sex,region,months,calls,cost,churned"

_TRAINING = '''\
"""Train on the customers: CSV in, model.skops and signature.json out."""

import argparse
import json
from pathlib import Path

import polars as pl
import skops.io
from sklearn.ensemble import GradientBoostingClassifier

INPUTS = ["age", "sex", "region", "months", "calls", "cost"]
LABEL = "churned"

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--output-dir", type=Path, required=True)
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

rows = pl.read_csv(options.data)
features = rows.select(pl.col(INPUTS).cast(pl.Float64))
model = GradientBoostingClassifier(n_estimators=60, random_state=options.seed)
model.fit(features.to_numpy(), rows[LABEL].to_numpy())
print(f"trained on {rows.height:,} rows", flush=True)

options.output_dir.mkdir(parents=True, exist_ok=True)
skops.io.dump(model, options.output_dir / "model.skops")
signature = {
    "format": "skops",
    "task": "binary",
    "inputs": [{"name": name, "datatype": "FP64"} for name in INPUTS],
    "outputs": [{"name": LABEL, "datatype": "INT64"}],
    "classes": [0, 1],
    "example": {name: features[name].median() for name in INPUTS},
}
(options.output_dir / "signature.json").write_text(json.dumps(signature, indent=2))
'''


def example_files() -> dict[str, bytes]:
    """Path → bytes: the script and both data sets, the same on every machine."""
    return {
        SCRIPT: _TRAINING.encode(),
        TRAIN_FILE: _table(0, _TRAIN_ROWS),
        EVALUATION_FILE: _table(_TRAIN_ROWS, _EVALUATION_ROWS),
    }


def example_proposal(model: str, target: Target, branch: str | None, version: str) -> Proposal:
    """The answers for the example."""
    lines = _table(_TRAIN_ROWS, _EVALUATION_ROWS).decode().splitlines()[1:]
    stayed = sum(line.endswith(",0") for line in lines) / len(lines)
    return Proposal(
        model=model,
        target=target,
        branch=branch,
        command=("python", SCRIPT, "--data", "{data.path}", "--output-dir", "{output.dir}"),
        lint=("training",),
        install=(("pip", "install", f"gatewright[checks,envoy,serve]=={version}"),),
        train_file=TRAIN_FILE,
        evaluation_file=EVALUATION_FILE,
        label="churned",
        facts=LabelFacts(task="binary", classes=(0, 1), floor=max(stayed, 1.0 - stayed)),
        slices=("sex", "region"),
        attributes=("sex",),
    )


def _table(first: int, count: int) -> bytes:
    lines = [_HEADER, *(_row(number) for number in range(first, first + count))]
    return ("\n".join(lines) + "\n").encode()


def _row(number: int) -> str:
    """One customer. Who calls often, pays much or is new leaves more often; a tenth does the opposite."""
    draws = sha256(f"gatewright example {number}".encode()).digest()
    age, sex, region = 18 + draws[0] % 60, 1 + draws[1] % 2, 1 + draws[2] % 4
    months, calls, cost = 1 + draws[3] % 72, draws[4] % 7, 10 + draws[5] % 90
    leaves = 8 * calls + cost // 4 - months // 2 > 20
    churned = int(leaves != (draws[6] < 26))
    return f"{number},{age},{sex},{region},{months},{calls},{cost},{churned}"
