"""`gatewright gate --explain`: a run's verdict in words, and what would change it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.cli.options import Output, opened, opened_for_any
from gatewright.cli.output import say, wrapped
from gatewright.domain.errors import StageFailed, UnusableInput

if TYPE_CHECKING:
    from gatewright.domain.gate import GateName, Judgement
    from gatewright.store.runs import RunFolder
    from gatewright.workspace import Workspace

_LABEL = len("  because  ")


def explain_run(root: Path, run_id: str | None, output: Output, skip: frozenset[GateName]) -> int:
    """Explain the verdict of a run; the newest judged one without an id. One that is not judged yet is judged first.

    Returns the verdict's exit code.
    """
    from gatewright.cli.gate_files import EXIT_CODES, as_json
    from gatewright.rules.gates.explanation import explained
    from gatewright.store.verdicts import read_verdict

    workspace = opened(root, run_id) if run_id else opened_for_any(root)
    run = workspace.runs.get(run_id) if run_id else _newest(workspace)
    _judge_first(workspace, run, skip)
    recorded = read_verdict(run.need("verdict", "gate").body)
    judgement: Judgement = recorded.judgement
    if output == "json":
        say(as_json(judgement))
        return EXIT_CODES[recorded.verdict]
    say(f"run {run.id}: {recorded.verdict.upper()}")
    say("")
    for line in explained(judgement):
        say(wrapped(line, first="", rest=" " * _LABEL) if line.startswith("  ") else line)
    return EXIT_CODES[recorded.verdict]


def _newest(workspace: Workspace) -> RunFolder:
    """The newest run that has an evaluation report."""
    for run in reversed(workspace.runs.all()):
        if run.read("evaluation-report") is not None:
            return run
    raise UnusableInput("no run was evaluated yet", fix="start one: gatewright run; or name a report file")


def _judge_first(workspace: Workspace, run: RunFolder, skip: frozenset[GateName]) -> None:
    """Decide what is not decided yet; that a gate fails is told by the explanation."""
    from gatewright.cli.render import Quiet
    from gatewright.engine.pipeline import run_stage, stage_named, with_skip

    if run.read("verdict") is not None:
        return
    with run.hold():
        try:
            run_stage(workspace, run, with_skip(stage_named("gate"), skip), Quiet())
        except StageFailed:
            if run.read("verdict") is None:
                raise
