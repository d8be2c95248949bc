"""`gatewright runs`: the runs of a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.failures import CommandGroup
from gatewright.cli.options import Output, actor_option, known_runs, opened, output_option, workspace_option
from gatewright.cli.output import say, say_json, span, table

if TYPE_CHECKING:
    from gatewright.store.runs import RunFolder

_COLOURS = {
    "promoted": "green", "confirmed": "green", "passed": "green", "working": "cyan", "open": "cyan", "pending": "cyan",
    "failed": "red", "rolled_back": "red", "stopped": "red", "aborted": "yellow",
}  # fmt: skip


@click.group(cls=CommandGroup)
def runs() -> None:
    """Runs: folders of hand-offs below .gatewright/runs.

    \b
    Examples:
      gatewright runs list
      gatewright runs show RUN
      gatewright runs abort RUN
    """


@runs.command(name="list")
@workspace_option
@output_option
def list_(root: Path, output: Output) -> None:
    """Every run, oldest first: how it ended, or which stage comes next.

    \b
    Examples:
      gatewright runs list
      gatewright runs list --output json
    """
    found = [_row(run) for run in known_runs(root).all()]
    if output == "json":
        say_json(found)
    elif not found:
        say("no run yet: gatewright run")
    else:
        rows = [(row["run"], _coloured(row["state"]), row["next"] or "", row["why"]) for row in found]
        table(rows, head=("RUN", "STATE", "NEXT", "WHY"))


@runs.command()
@click.argument("run_id", metavar="RUN")
@workspace_option
@output_option
def show(run_id: str, root: Path, output: Output) -> None:
    """One run: why it started, on what, and its hand-offs with status, time taken and digest.

    \b
    Examples:
      gatewright runs show 20260314-092653-5897
      gatewright runs show 20260314-092653-5897 --output json
    """
    run = known_runs(root).get(run_id)
    row, rows = _row(run), _handoffs(run)
    lock = run.need("lock", "validate").body
    if output == "json":
        say_json({**row, "reasons": lock["reasons"], "inputs": lock["inputs_of_run"], "handoffs": rows})
        return
    inputs = lock["inputs_of_run"]
    facts = [("run", run_id), ("because", "; ".join(lock["reasons"]))]
    facts += [("train", inputs["train"]), ("evaluation", inputs["evaluation"]), ("commit", inputs["commit"])]
    facts += [("state", f"{_coloured(row['state'])}: {row['why']}" if row["next"] is None else _coloured(row["state"]))]
    table(facts)
    say("")
    cells = [(each["handoff"], _coloured(each["status"]), span(each["seconds"]), each["digest"][:19]) for each in rows]
    table(cells, head=("HAND-OFF", "STATUS", "TOOK", "DIGEST"))
    if row["state"] == "open":
        say(f"\nnext: {row['next']}; go on with: gatewright run --resume {run_id}")


@runs.command()
@click.argument("run_id", metavar="RUN")
@actor_option("--by", "actor", "Who gives it up.")
@workspace_option
@output_option
def abort(run_id: str, actor: str, root: Path, output: Output) -> None:
    """Give an open run up: it gets its terminal record. A rollout in progress is ended by `rollout abort` first.

    \b
    Examples:
      gatewright runs abort 20260314-092653-5897 --by ada
    """
    from gatewright.domain.documents import plain
    from gatewright.domain.errors import Pending
    from gatewright.engine.ending import end_run

    workspace = opened(root, run_id)
    run = workspace.runs.get(run_id)
    rollout = workspace.rollouts.of_run(run_id)
    if rollout is not None and not rollout.phase.terminal:
        raise Pending(f"rollout {rollout.id} of this run is {rollout.phase}", fix="gatewright rollout abort")
    with run.hold():
        record = end_run(workspace, run, kind="aborted", why=f"given up by {actor}", actor=actor)
    if output == "json":
        say_json(plain(record))
    else:
        say(f"run {run_id}: {record.kind}, {record.why}")


def _row(run: RunFolder) -> dict[str, Any]:
    """How a run ended and why; of an open one, the stage that comes next and why it started."""
    from gatewright.engine.handover import STAGE_OF
    from gatewright.store.runs import HANDOFFS

    ended = run.read("deployment-record")
    if ended is not None:
        why = str(ended.body["record"]["why"]).partition("\n")[0]
        return {"run": run.id, "state": ended.status, "next": None, "why": why}
    undone = (name for name in HANDOFFS if (found := run.read(name)) is None or found.status != "passed")
    return {
        "run": run.id,
        "state": "working" if run.held() else "open",
        "next": STAGE_OF[next(undone, HANDOFFS[-1])],
        "why": "; ".join(run.need("lock", "validate").body["reasons"]),
    }


def _handoffs(run: RunFolder) -> list[dict[str, Any]]:
    from gatewright.store.runs import HANDOFFS

    found = [(name, handoff) for name in HANDOFFS if (handoff := run.read(name)) is not None]
    return [
        {
            "handoff": name,
            "status": handoff.status,
            "seconds": round((handoff.ended_at - handoff.started_at).total_seconds(), 1),
            "digest": run.digest(name),
        }
        for name, handoff in found
    ]


def _coloured(state: str) -> str:
    return click.style(state, fg=_COLOURS.get(state))
