"""`gatewright train | evaluate | gate | register`: one stage each, for CI jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import (
    Output,
    chosen_model,
    known_runs,
    opened,
    output_option,
    run_option,
    skip_option,
    workspace_option,
)
from gatewright.cli.output import say
from gatewright.cli.render import progress_for
from gatewright.domain.errors import StageFailed

if TYPE_CHECKING:
    from gatewright.domain.gate import GateName
    from gatewright.store.runs import Handoff, RunFolder
    from gatewright.workspace import Workspace


def one_stage(
    name: str,
    root: Path,
    run_id: str | None,
    output: Output,
    *,
    open_with: Callable[[Workspace], RunFolder] | None = None,
    skip: frozenset[GateName] = frozenset(),
) -> None:
    """Run one stage of the run that is meant, and tell what it left."""
    from gatewright.engine.opening import choose_run
    from gatewright.engine.pipeline import already_ended, run_stage, stage_named, with_skip

    workspace = opened(root, run_id)
    run = open_with(workspace) if open_with is not None else choose_run(workspace, run_id)
    stage = with_skip(stage_named(name), skip)
    with run.hold(), telling(run, stage.handoff, output):
        handoff = already_ended(workspace, run, progress_for(output))
        if handoff is None:
            handoff = run_stage(workspace, run, stage, progress_for(output))
    show_handoff(run.id, handoff, output)


@contextmanager
def telling(run: RunFolder, handoff: str, output: Output) -> Iterator[None]:
    """For programs: the hand-off that a failing stage left is printed too, before the error ends the command."""
    try:
        yield
    except StageFailed:
        left = run.read(handoff) if output == "json" else None
        if left is not None:
            show_handoff(run.id, left, output)
        raise


def show_handoff(run_id: str, handoff: Handoff, output: Output) -> None:
    """The run's id in words, or the whole hand-off as JSON."""
    if output == "json":
        from gatewright.domain.documents import pretty_json

        say(pretty_json(handoff).decode().rstrip("\n"))
    else:
        say(f"run {run_id}")


def _plain_stage(name: str, text: str) -> click.Command:
    @click.command(name=name, help=text)
    @workspace_option
    @run_option
    @output_option
    def command(root: Path, run_id: str | None, output: Output) -> None:
        one_stage(name, root, run_id, output)

    return command


train = _plain_stage(
    "train",
    """Run train.command on the pinned data; its output goes to the terminal and to logs/train.log.

    \b
    Examples:
      gatewright train
      gatewright train --run RUN --output json
    """,
)
evaluate = _plain_stage(
    "evaluate",
    """Score candidate and baseline on the same rows and write evaluation-report.json.

    \b
    Examples:
      gatewright evaluate
      gatewright evaluate --run RUN --output json
    """,
)
register = _plain_stage(
    "register",
    """Register the model that passed its gates: a number, once per model digest.

    \b
    Examples:
      gatewright register
      gatewright register --run RUN --output json
    """,
)


@click.command()
@click.argument("report", required=False, type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="Baseline file, for a report file.  [default: baselines/production.json]",
)
@click.option("--explain", is_flag=True, help="Say of each gate why it decided so, and what would change it.")
@skip_option
@workspace_option
@run_option
@output_option
@click.pass_context
def gate(
    context: click.Context,
    report: Path | None,
    baseline: Path | None,
    explain: bool,
    skip: tuple[str, ...],
    root: Path,
    run_id: str | None,
    output: Output,
) -> Any:
    """Apply the gates: overall quality, slices, fairness, latency, and those that you configured.

    With --run (or one open run and no REPORT) this is the stage. With a REPORT it reads a report file that your own
    evaluation wrote (default eval.json), beside a baseline file, and compares by arithmetic. Exit 0 pass, 1 fail,
    2 unusable input, 3 inconclusive. --explain of a run that was judged already explains its verdict, and decides
    nothing anew.

    \b
    Examples:
      gatewright gate --run RUN
      gatewright gate --explain
      gatewright gate eval.json --baseline baselines/production.json
      gatewright gate eval.json --skip latency
    """
    from gatewright.cli.explain import explain_run
    from gatewright.cli.gate_files import gate_names, gate_report_files

    asked_for_run = context.get_parameter_source("run_id") is ParameterSource.COMMANDLINE
    if asked_for_run and (report or baseline):
        raise BadCommand("--run judges the run's own report, REPORT and --baseline are files", fix="leave one out")
    if report is None and baseline is None and explain and not (root / "eval.json").is_file():
        context.exit(explain_run(root, run_id, output, gate_names(skip)))
    if report is None and baseline is None and (run_id is not None or _has_open_run(root)):
        one_stage("gate", root, run_id, output, skip=gate_names(skip))
        return
    report, baseline = report or root / "eval.json", baseline or root / "baselines" / "production.json"
    context.exit(gate_report_files(report, baseline, skip, output, _configured_gates(root), explain=explain))


def _has_open_run(root: Path) -> bool:
    return bool(known_runs(root).open())


def _configured_gates(root: Path) -> Any:
    """The gates of gatewright.yaml when there is one; else the mission's defaults."""
    if not (root / "gatewright.yaml").is_file():
        return None
    from gatewright.config.project import read_project
    from gatewright.workspace import CONFIG, Plugins

    return read_project(root / CONFIG, Plugins(), chosen_model())[0].gates
