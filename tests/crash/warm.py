"""The warmed process of the crash tests: `python -m tests.crash.warm FOLDER`, JSON lines in and out.

It has imported everything and has only one thread, so that a fork gives a process that is ready to run in milliseconds.
"""

from __future__ import annotations

import gc
import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from gatewright.domain.documents import canonical_json
from gatewright.domain.lineage import Candidate, ModelVersion
from gatewright.engine.opening import locked_inputs
from gatewright.engine.planning import current_inputs
from gatewright.store.codec import decode
from gatewright.workspace import Workspace
from tests.crash import stale, trial, world
from tests.crash.trial import Bench, Trial
from tests.fixtures import toy

_LIBRARIES = ("numpy", "polars", "psutil", "gatewright.rules.data", "gatewright.rules.reports.summary",
              "gatewright.rules.evaluation")  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1])
    try:
        serve(folder, Bench(folder))
    finally:
        shutil.rmtree(folder)


def serve(folder: Path, bench: Bench) -> None:
    """Until standard input ends, as it does when whoever asks is killed."""
    assert trial.wait(trial.forked(lambda: _built(bench.place), folder / "said")) == 0, (folder / "said").read_text()
    warm(bench)
    say({"ready": True})
    for line in sys.stdin:
        words = json.loads(line)
        try:
            say(answer(bench, words))
        except (AssertionError, OSError) as error:
            say({"failed": f"{type(error).__name__}: {error}", "said": _said(bench)})


def answer(bench: Bench, words: dict[str, Any]) -> dict[str, Any]:
    kind = words.pop("do")
    if kind == "trial":
        return bench.make(Trial.of(words)).words()
    if kind == "stale":
        return stale.stopped(bench, **words).words()
    return stale.child_killed(bench).words()


def warm(bench: Bench) -> None:
    """Load and build whatever a run needs, in the workspace that will become the template."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    workspace = Workspace.open(bench.root)
    (run,) = workspace.runs.all()
    current_inputs(workspace)
    locked_inputs(run)
    workspace.rollouts.latest(toy.MODEL)
    for name, key, kind in (("candidate", "candidate", Candidate), ("version", "version", ModelVersion)):
        decode(kind, canonical_json(run.need(name, name).body[key]))
    workspace.database.close()
    bench.place.rename(bench.template)
    gc.collect()
    gc.freeze()


def _built(place: Path) -> int:
    world.build(place)
    return 0


def _said(bench: Bench) -> str:
    said = bench.outside_folder / "said"
    return said.read_text()[-4000:] if said.exists() else ""


def say(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
