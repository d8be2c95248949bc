"""What the machinery costs: `gatewright run` of six trivial stages beside `dvc repro` of six trivial stages.

Both in repositories of their own, in turns, each repetition in a fresh one; CPU time (user and system) of the command
and all its children. `gatewright run` is a first deployment and does all it always does: lint, digests and schemas of
the data, training as a kept subprocess, scoring 450 rows with the trained model in a child of the nursery, gates,
registration, traffic through Envoy read back, hash-chained records. Supervisor and gateway run already, as in
production, the nursery is warm; what they and the model server that they start spend meanwhile is told apart, but what
the nursery and its child spend is counted as the run's. The dependency audit is off: it waits for a service on the
network (`--audit` adds it).

DVC runs six times `python stage.py INPUT OUTPUT`, which copies a line; a second pipeline has one stage of six load the
same scikit-learn model and score the same 450 rows, because that load is the larger half of our first run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import small_project
from measuring import (
    GATEWRIGHT,
    PEERS,
    RESULTS,
    BenchmarkFailed,
    measured,
    progress,
    publish,
    resident_mb,
    table,
    told,
    tree_cpu_s,
    verdict,
)

FIRST_GOAL, RERUN_GOAL = 1.2, 0.3
_RERUNS = 3
_HANDOFFS = (
    "lock",
    "validation",
    "candidate",
    "evaluation-report",
    "verdict",
    "version",
    "rollout",
    "deployment-record",
)
_COPY = "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read())\n"
_SCORE = """import sys
import numpy as np, polars as pl, skops.io
rows = pl.read_parquet("eval.parquet").select("AGE", "SEX", "REGION").to_numpy().astype(np.float64)
open(sys.argv[2], "w").write(str(skops.io.load("model.skops").predict(rows).sum()))
"""

Samples = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--dvc", type=Path, default=PEERS / "dvc")
    parser.add_argument("--audit", action="store_true", help="with the dependency audit, which needs its service")
    options = parser.parse_args()
    scratch = RESULTS / "pipelines"
    samples: Samples = defaultdict(list)
    said = ""
    for number in range(1, options.repetitions + 1):
        progress(f"repetition {number} of {options.repetitions}: gatewright")
        said = _gatewright(scratch / "gatewright", samples, audit=options.audit)
        progress(f"repetition {number} of {options.repetitions}: dvc")
        _dvc(options.dvc, scratch / "dvc", samples, score=False)
        _dvc(options.dvc, scratch / "dvc-score", samples, score=True)
        _plain(scratch / "dvc", samples)
    shutil.rmtree(scratch)
    _publish(samples, said)


def _gatewright(root: Path, samples: Samples, *, audit: bool) -> str:
    """One first deployment and its no-op reruns; returns what the last one said."""
    small_project.write(root)
    if audit:
        _add_audit(root)
    env = small_project.clean_environment()
    with small_project.runtime(root) as (supervisor, nursery):
        before, nursery_before = tree_cpu_s(supervisor), tree_cpu_s(nursery)
        first = measured([GATEWRIGHT, "run", "--bootstrap-by", "benchmark"], cwd=root, env=env)
        # The child that scores is the nursery's, not the command's: what it costs belongs to the run all the same.
        scoring_s = tree_cpu_s(nursery) - nursery_before
        total_s = first.cpu_s + scoring_s
        samples["first"].append(total_s)
        samples["first: scoring"].append(scoring_s)
        samples["runtime"].append(tree_cpu_s(supervisor) - before - scoring_s)
        samples["nursery MB"].append(resident_mb(nursery))
        for _ in range(_RERUNS):
            rerun = measured([GATEWRIGHT, "run", "--if-changed"], cwd=root, env=env)
            samples["rerun"].append(rerun.cpu_s)
    _check_done(root)
    _split(root, samples, first.cpu_s)
    if "nothing changed" not in rerun.output:
        raise BenchmarkFailed(f"the rerun did something: {rerun.output}")
    return rerun.output.strip()


def _add_audit(root: Path) -> None:
    (root / "requirements.txt").write_text("scikit-learn==1.8.0\n", encoding="utf-8")
    config = root / "gatewright.yaml"
    section = "dependencies: {requirements: requirements.txt, on_unavailable: warn}"
    config.write_text(config.read_text("utf-8").replace("dependencies: none", section), encoding="utf-8")
    small_project.git(root, "add", "--all")
    small_project.git(root, "commit", "--quiet", "--message", "audit")


def _check_done(root: Path) -> None:
    """Nothing was left out: every hand-off passed, the model serves, and the records end in a promotion."""
    (run,) = (root / ".gatewright" / "runs").iterdir()
    for name in _HANDOFFS[:-1]:
        handoff = json.loads((run / f"{name}.json").read_text("utf-8"))
        if handoff["status"] != "passed":
            raise BenchmarkFailed(f"{name}.json of the measured run says {handoff['status']}")
    validation = json.loads((run / "validation.json").read_text("utf-8"))
    checks = {check["check"].partition(":")[0] for check in validation["checks"]}
    if not {"data", "ruff"} <= checks:
        raise BenchmarkFailed(f"only these checks were made: {checks}")
    connection = sqlite3.connect(f"file:{root}/.gatewright/state.db?mode=ro", uri=True)
    kinds = [kind for (kind,) in connection.execute("SELECT json_extract(body, '$.kind') FROM records ORDER BY seq")]
    connection.close()
    if kinds[-1] != "promoted":
        raise BenchmarkFailed(f"the records are {kinds}")


def _split(root: Path, samples: Samples, total: float) -> None:
    """What the children of the run cost, each run again by itself; what is left is the command."""
    (run,) = (root / ".gatewright" / "runs").iterdir()
    env = small_project.clean_environment()
    said = (run / "logs" / "evaluate.log").read_text("utf-8")
    if "nursery" in said:
        raise BenchmarkFailed(f"the model was not scored in the nursery: {said}")
    scoring = measured([sys.executable, "-m", "gatewright.serving.scoring", run / "scoring.json"], cwd=root, env=env)
    samples["scoring without nursery"].append(scoring.cpu_s)
    output = RESULTS / "pipelines" / "trained"
    output.mkdir(exist_ok=True)
    train = measured([sys.executable, "training/train.py", "data/train.parquet", output], cwd=root, env=env)
    lint = measured([sys.executable, "-m", "ruff", "check", "--no-cache", "training"], cwd=root, env=env)
    children = {"train": train.cpu_s, "lint": 2 * lint.cpu_s}
    for name, cost in children.items():
        samples[f"first: {name}"].append(cost)
    samples["first: the command"].append(total - sum(children.values()))
    samples["load"].append(measured([sys.executable, "-c", "import skops.io, polars"], cwd=root, env=env).cpu_s)


def _dvc(dvc: Path, root: Path, samples: Samples, *, score: bool) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    env = small_project.clean_environment() | {"DVC_NO_ANALYTICS": "1"}
    shutil.copyfile(small_project.model() / "model.skops", root / "model.skops")
    shutil.copyfile(root.parent / "gatewright" / "data" / "eval.parquet", root / "eval.parquet")
    (root / "stage.py").write_text(_COPY, encoding="utf-8")
    (root / "score.py").write_text(_SCORE, encoding="utf-8")
    (root / "out0").write_text("a line\n", encoding="utf-8")
    (root / "dvc.yaml").write_text(_stages(score=score), encoding="utf-8")
    small_project.git(root, "init", "--quiet")
    measured([dvc, "init", "--quiet"], cwd=root, env=env)
    small_project.git(root, "add", "--all")
    small_project.git(root, "commit", "--quiet", "--no-verify", "--message", "six stages")
    name = "dvc that scores" if score else "dvc"
    samples[f"{name} first"].append(measured([dvc, "repro"], cwd=root, env=env).cpu_s)
    if not (root / "out6").exists():
        raise BenchmarkFailed("dvc repro left no out6")
    for _ in range(0 if score else _RERUNS):
        rerun = measured([dvc, "repro"], cwd=root, env=env)
        if "up to date" not in rerun.output:
            raise BenchmarkFailed(f"dvc's rerun did something: {rerun.output}")
        samples[f"{name} rerun"].append(rerun.cpu_s)


def _stages(*, score: bool) -> str:
    lines = ["stages:"]
    for number in range(1, 7):
        script = "score.py" if score and number == 3 else "stage.py"
        more = ", model.skops, eval.parquet" if script == "score.py" else ""
        lines += [
            f"  stage{number}:",
            f"    cmd: python {script} out{number - 1} out{number}",
            f"    deps: [{script}, out{number - 1}{more}]",
            f"    outs: [out{number}]",
        ]
    return "\n".join(lines) + "\n"


def _plain(root: Path, samples: Samples) -> None:
    """The same six copies by nobody: what starting Python six times costs."""
    env = small_project.clean_environment()
    costs = [measured([sys.executable, "stage.py", "out0", "copy"], cwd=root, env=env).cpu_s for _ in range(6)]
    samples["six times python"].append(sum(costs))


def _publish(samples: Samples, said: str) -> None:
    def ratio(ours: str, theirs: str) -> float:
        return median(samples[ours]) / median(samples[theirs])

    first, rerun, same_work = (
        ratio("first", "dvc first"),
        ratio("rerun", "dvc rerun"),
        ratio("first", "dvc that scores first"),
    )
    rows: list[Sequence[str]] = [
        ("first run", told(samples["first"]), told(samples["dvc first"]), f"{first:.2f}", verdict(first, FIRST_GOAL)),
        ("… DVC scores, too", "", told(samples["dvc that scores first"]), f"{same_work:.2f}", "the same work"),
        ("no-op rerun", told(samples["rerun"]), told(samples["dvc rerun"]), f"{rerun:.2f}", verdict(rerun, RERUN_GOAL)),
    ]
    parts = ("scoring", "the command", "lint", "train")
    rows += [(f"  of the first: {name}", told(samples[f"first: {name}"]), "", "", "") for name in parts]
    rows += [
        ("beside it: supervisor, Envoy, model server", told(samples["runtime"]), "", "", "not in the first run"),
        ("the nursery's memory, MB", told(samples["nursery MB"], 0), "", "", ""),
        ("yardstick: scoring in a process of its own", told(samples["scoring without nursery"]), "", "", ""),
        ("yardstick: import skops.io and polars", told(samples["load"]), "", "", ""),
        ("yardstick: six times python", told(samples["six times python"]), "", "", ""),
    ]
    head = ("CPU seconds, median [range]", "gatewright", "dvc", "ratio", "")
    text = table("Six trivial stages, gatewright beside DVC", head, rows) + f"\n\nThe no-op rerun says: {said}"
    figures = {
        "ratio_first": first,
        "ratio_first_same_work": same_work,
        "ratio_rerun": rerun,
        "cpu_s": dict(samples),
        "rerun_says": said,
    }
    publish("pipeline_overhead", text, figures)


if __name__ == "__main__":
    main()
