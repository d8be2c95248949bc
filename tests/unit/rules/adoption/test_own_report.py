from __future__ import annotations

import json

from gatewright.domain.adoption import Repository
from gatewright.rules.adoption.own_report import own_report

REPORT = json.dumps({"overall_accuracy": 0.9, "slices": {}, "latency_p99_ms": 3})
SCRIPT = 'json.dump({"overall_accuracy": a, "slices": s}, open("out/report.json", "w"))'


def repository(**texts: str) -> Repository:
    named = {
        path.replace("__", "/").replace("_json", ".json").replace("_py", ".py"): text for path, text in texts.items()
    }
    return Repository(name="shop", files=dict.fromkeys(named, 1), texts=named)


def test_a_script_that_writes_the_numbers_is_recognised_before_it_was_run() -> None:
    found = own_report(repository(evaluate_py=SCRIPT))
    assert found is not None
    assert (found.command, found.script) == (("gatewright", "gate", "out/report.json"), "evaluate.py")
    assert not found.is_written
    assert found.baseline is None


def test_the_files_that_are_there_are_taken() -> None:
    found = own_report(repository(evaluate_py=SCRIPT, eval_json=REPORT, baselines__production_json=REPORT))
    assert found is not None
    assert (found.command, found.baseline) == (("gatewright", "gate", "eval.json"), "baselines/production.json")
    assert found.is_written


def test_a_baseline_elsewhere_is_named() -> None:
    found = own_report(repository(metrics_json=REPORT, old__baseline_json=REPORT))
    assert found is not None
    assert found.command == ("gatewright", "gate", "metrics.json", "--baseline", "old/baseline.json")


def test_other_files_are_no_report() -> None:
    assert (
        own_report(repository(a_json='{"accuracy": 1}', b_json="overall_accuracy", c_py="overall_accuracy = 1")) is None
    )
