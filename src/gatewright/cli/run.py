"""`gatewright run`: all six stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import (
    Output,
    acceptance_options,
    acceptor,
    bootstrap_option,
    chosen_model,
    follow_state,
    known_runs,
    opened,
    output_option,
    skip_option,
    workspace_option,
)
from gatewright.cli.output import say, say_json
from gatewright.cli.render import progress_for
from gatewright.cli.stages import show_handoff, telling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.store.runs import RunFolder
    from gatewright.workspace import Workspace


@click.command()
@click.option("--resume", metavar="RUN", help="Go on with an open run; nothing that is proven done is repeated.")
@click.option("--force", is_flag=True, help="Run all stages although nothing changed.")
@click.option("--if-changed", is_flag=True, help="Say that doing nothing is fine; it is what run does without --force.")
@click.option("--run-id", metavar="RUN", help="Open the run under this id, or go on with it: what data watch starts.")
@skip_option
@bootstrap_option
@acceptance_options
@workspace_option
@output_option
def run(
    resume: str | None,
    force: bool,
    if_changed: bool,
    run_id: str | None,
    skip: tuple[str, ...],
    bootstrap_by: str | None,
    accept: bool,
    by: str | None,
    root: Path,
    output: Output,
) -> None:
    """Run the stages that the plan asks for: validate, train, evaluate, gate, register, canary, rollout.

    Prints why the run starts (what changed since the last promotion), or why none does; gatewright plan tells more.
    Data whose columns were dropped, renamed or retyped is blocked (exit 1). A stage that fails stops the run; Ctrl-C
    leaves a run that can be resumed.

    \b
    Examples:
      gatewright run
      gatewright run --bootstrap-by ada     the first deployment
      gatewright run --force                although nothing changed
      gatewright run --accept-schema-change --by ada
      gatewright run --resume RUN
    """
    accepted_by = acceptor(accept, by)
    if resume and (force or if_changed or bootstrap_by or accepted_by):
        given = {"--force": force, "--if-changed": if_changed, "--bootstrap-by": bootstrap_by}
        what = next((option for option, value in given.items() if value), "--accept-schema-change")
        raise BadCommand(f"{what} is for a new run, --resume for an open one", fix="leave one of them out")
    if force and if_changed:
        raise BadCommand("--force runs, --if-changed may not", fix="leave one of them out")
    if run_id is not None and (resume := _to_resume(root, run_id, resume)) and _is_worked_on(root, resume, output):
        return
    by_hand = bool(resume or force or bootstrap_by or accepted_by)
    if not by_hand and _known_unchanged(root, output):
        return
    from gatewright.cli.gate_files import gate_names
    from gatewright.engine.pipeline import run_all

    skipped = gate_names(skip)
    workspace = opened(root, resume)
    if resume:
        chosen: RunFolder | None = workspace.runs.get(resume)
    else:
        chosen = _open(workspace, root, output, bootstrap_by, accepted_by, by_hand=by_hand, run_id=run_id)
    if chosen is None:
        return
    if output == "text":
        say(f"run {chosen.id}" + (" (resumed)" if resume else ""))
        for reason in chosen.need("lock", "validate").body["reasons"]:
            say(f"  because {reason}")
    with telling(chosen, "deployment-record", output):
        handoff = run_all(workspace, chosen, progress_for(output), skip=skipped)
    if output == "json":
        show_handoff(chosen.id, handoff, output)


def _open(
    workspace: Workspace,
    root: Path,
    output: Output,
    bootstrap_by: str | None,
    accepted_by: str | None,
    *,
    by_hand: bool,
    run_id: str | None,
) -> RunFolder | None:
    """A new run; None when the plan is that nothing runs, which is then told, recorded and remembered."""
    from gatewright.engine.opening import open_run, proof_unchanged, record_skip
    from gatewright.engine.planning import plan_run
    from gatewright.engine.unchanged import remember_unchanged

    planned = plan_run(workspace, accepted_by=accepted_by)
    if planned.plan.action != "nothing" or by_hand:
        return open_run(workspace, bootstrap_by=bootstrap_by, accepted_by=accepted_by, planned=planned, run_id=run_id)
    proof = proof_unchanged(planned)
    record_skip(workspace, planned)
    remember_unchanged(root.resolve(), chosen_model(), proof, workspace.project.train.command[0])
    _tell_unchanged(proof, output)
    return None


def _to_resume(root: Path, run_id: str, resume: str | None) -> str | None:
    """`run_id`, if a run with this id was opened already."""
    from gatewright.rules.watching import RUN_ID

    if resume is not None:
        raise BadCommand("--run-id opens a run or goes on with it, --resume goes on", fix="leave one of them out")
    if not RUN_ID.fullmatch(run_id):
        raise BadCommand(f"{run_id!r} is no id of a run", fix="YYYYMMDD-HHMMSS-HEX, as gatewright data claims shows it")
    return run_id if known_runs(root.resolve()).find(run_id) else None


def _is_worked_on(root: Path, run_id: str, output: Output) -> bool:
    """Tell that another process works on this run, which is then left alone."""
    from gatewright.store.runs import Runs

    if not Runs(root.resolve() / ".gatewright" / "runs").get(run_id).held():
        return False
    if output == "json":
        say_json({"run": run_id, "held": True})
    else:
        say(f"another process works on run {run_id}: nothing to do here")
    return True


def _known_unchanged(root: Path, output: Output) -> bool:
    """Tell the proof that nothing changed, if the bytes it rests on are still the same: no document is read for it."""
    from gatewright.engine.unchanged import still_unchanged

    follow_state(root)
    proof = still_unchanged(root.resolve(), chosen_model())
    if proof is not None:
        _tell_unchanged(proof, output)
    return proof is not None


def _tell_unchanged(proof: Mapping[str, Any], output: Output) -> None:
    if output == "json":
        say_json({"changed": False, "proof": dict(proof)})
        return
    say(f"nothing changed since {proof['promoted']}, the last promotion:")
    if proof["why"] != "nothing changed":
        say(f"  {proof['why']}")
    for name in ("data", "evaluation data", "code", "schema file", "configuration", "tools"):
        say(f"  {name} {proof[name]}")
    say("nothing runs; gatewright run --force runs all the same")
