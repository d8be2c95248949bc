"""`gatewright run`: all six stages."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import Output, bootstrap_option, opened, output_option, skip_option, workspace_option
from gatewright.cli.output import say
from gatewright.cli.render import progress_for
from gatewright.cli.stages import show_handoff, telling


@click.command()
@click.option("--resume", metavar="RUN", help="Go on with an open run; nothing that is proven done is repeated.")
@click.option("--if-changed", is_flag=True, help="Do nothing when data, code and configuration are as promoted last.")
@skip_option
@bootstrap_option
@workspace_option
@output_option
def run(
    resume: str | None,
    if_changed: bool,
    skip: tuple[str, ...],
    bootstrap_by: str | None,
    root: Path,
    output: Output,
) -> None:
    """Run all stages on the latest data versions: validate, train, evaluate, gate, register, canary, rollout.

    Prints why the run starts (what changed since the last promotion). A stage that fails stops the run; Ctrl-C leaves
    a run that can be resumed.

    \b
    Examples:
      gatewright run
      gatewright run --bootstrap-by ada     the first deployment
      gatewright run --if-changed           for schedules
      gatewright run --resume RUN
    """
    from gatewright.cli.gate_files import gate_names
    from gatewright.engine.opening import open_run, what_changed
    from gatewright.engine.pipeline import run_all

    if resume and (if_changed or bootstrap_by):
        what = "--if-changed" if if_changed else "--bootstrap-by"
        raise BadCommand(f"{what} is for a new run, --resume for an open one", fix="leave one of them out")
    skipped = gate_names(skip)
    workspace = opened(root, resume)
    if if_changed and not what_changed(workspace):
        say('{"changed": false}' if output == "json" else "nothing changed since the last promotion")
        return
    chosen = workspace.runs.get(resume) if resume else open_run(workspace, bootstrap_by=bootstrap_by)
    if output == "text":
        say(f"run {chosen.id}" + (" (resumed)" if resume else ""))
        for reason in chosen.need("lock", "validate").body["reasons"]:
            say(f"  because {reason}")
    with telling(chosen, "deployment-record", output):
        handoff = run_all(workspace, chosen, progress_for(output), skip=skipped)
    if output == "json":
        show_handoff(chosen.id, handoff, output)
