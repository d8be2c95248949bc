"""`gatewright run`: all six stages."""

from __future__ import annotations

from pathlib import Path

import click

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import (
    Output,
    bootstrap_option,
    chosen_model,
    opened,
    output_option,
    skip_option,
    workspace_option,
)
from gatewright.cli.output import say, say_json
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
    if resume and (if_changed or bootstrap_by):
        what = "--if-changed" if if_changed else "--bootstrap-by"
        raise BadCommand(f"{what} is for a new run, --resume for an open one", fix="leave one of them out")
    if if_changed and _nothing_changed(root, output):
        return
    from gatewright.cli.gate_files import gate_names
    from gatewright.engine.opening import open_run
    from gatewright.engine.pipeline import run_all

    skipped = gate_names(skip)
    workspace = opened(root, resume)
    chosen = workspace.runs.get(resume) if resume else open_run(workspace, bootstrap_by=bootstrap_by)
    if output == "text":
        say(f"run {chosen.id}" + (" (resumed)" if resume else ""))
        for reason in chosen.need("lock", "validate").body["reasons"]:
            say(f"  because {reason}")
    with telling(chosen, "deployment-record", output):
        handoff = run_all(workspace, chosen, progress_for(output), skip=skipped)
    if output == "json":
        show_handoff(chosen.id, handoff, output)


def _nothing_changed(root: Path, output: Output) -> bool:
    """Tell the proof that nothing changed, if so; documents are read only when their bytes are not known yet."""
    from gatewright.engine.unchanged import remember_unchanged, still_unchanged

    root, model = root.resolve(), chosen_model()
    proof = still_unchanged(root, model)
    if proof is None:
        from gatewright.engine.opening import proof_unchanged

        proof = proof_unchanged(opened(root))
        if proof is None:
            return False
        remember_unchanged(root, model, proof)
    if output == "json":
        say_json({"changed": False, "proof": proof})
    else:
        say(f"nothing changed since {proof['promoted']}, the last promotion:")
        for name in ("data", "evaluation data", "code", "configuration"):
            say(f"  {name} {proof[name]}")
    return True
