"""After `gatewright init --yes`: the stages work, or say exactly what is missing, as init said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fixtures.scratch import onnx_repository, reporting_repository, sklearn_repository
from tests.unit.cli.conftest import Shell

SIGNED = """
import json


class Table:
    \"\"\"As much of a pandas table as the lines need.\"\"\"

    def __init__(self, table):
        self.table, self.columns = table, table.columns

    def median(self):
        return {name: self.table[name].median() for name in self.columns}


features = Table(features)
"""


def test_onnx_without_a_framework_reaches_a_verdict(shell: Shell, empty: Path) -> None:
    onnx_repository(empty)
    told = shell("init", "--yes")
    assert "signature" not in told.out
    for words in (("validate", "--bootstrap-by", "ada"), ("train",), ("evaluate",), ("gate",)):
        done = shell(*words)
        assert done.code == 0, done.out + done.err
    assert "overall pass, fairness pass, latency pass" in done.out


def test_scikit_learn_stops_where_init_said_and_goes_on_with_its_lines(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    told = shell("init", "--yes")
    assert "train.py saves a pickle" in told.out
    assert shell("validate", "--bootstrap-by", "ada").code == 0
    stopped = shell("train")
    assert stopped.code == 1
    assert "left no model.skops and no signature.json" in stopped.err

    lines = told.out.partition("Lines for signature.json")[2].partition("\n")[2].partition("\n\nNext")[0]
    script = (empty / "train.py").read_text()
    saved = "from pathlib import Path\n\nimport skops.io\n\noutput_dir = Path(options.output_dir)\n"
    saved += 'skops.io.dump(model, output_dir / "model.skops")\n'
    signed = SIGNED + "\n".join(line.removeprefix("    ") for line in lines.splitlines())
    script = script.replace("import joblib\n", "").replace(
        'joblib.dump(model, f"{options.output_dir}/model.joblib")\n', saved + signed
    )
    (empty / "train.py").write_text(script)
    done = shell("train")
    assert done.code == 0, done.out + done.err


def test_a_report_of_ones_own_passes_the_gates_with_the_lines_that_init_says(shell: Shell, empty: Path) -> None:
    reporting_repository(empty)
    told = shell("init", "--yes")
    run = shell("run")
    assert run.code == 2
    assert "gatewright init writes one" in run.err
    subprocess.run([sys.executable, "evaluate.py"], check=True)
    copied = next(line.strip() for line in told.out.splitlines() if "cp eval.json" in line)
    subprocess.run(["sh", "-c", copied], check=True)
    assert "4 of 4 gates passed" in shell("gate", "eval.json").out
