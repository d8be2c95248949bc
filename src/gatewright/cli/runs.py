"""`gatewright runs`: the runs of a workspace."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option


@click.group()
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
    """Every run, oldest first: how it ended, or which stages it has passed."""
    from gatewright.store.runs import Runs

    found = [_row(run) for run in Runs(root / ".gatewright" / "runs").all()]
    if output == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for row in found:
        click.echo(f"{row['run']}  {row['state']:<12} {row['why']}")
    if not found:
        click.echo("no run yet: gatewright run")


@runs.command()
@click.argument("run_id", metavar="RUN")
@workspace_option
@output_option
def show(run_id: str, root: Path, output: Output) -> None:
    """The hand-offs of one run: status, time taken, digests."""
    from gatewright.store.runs import HANDOFFS, Runs

    run = Runs(root / ".gatewright" / "runs").get(run_id)
    rows: list[dict[str, Any]] = []
    for name in HANDOFFS:
        handoff = run.read(name)
        if handoff is not None:
            seconds = (handoff.ended_at - handoff.started_at).total_seconds()
            rows.append(
                {"handoff": name, "status": handoff.status, "seconds": round(seconds, 1), "digest": run.digest(name)}
            )
    if output == "json":
        click.echo(json.dumps({"run": run_id, "handoffs": rows}, indent=2))
        return
    for row in rows:
        click.echo(f"{row['handoff']:<18} {row['status']:<12} {row['seconds']:>7} s  {row['digest'][:19]}")


@runs.command()
@click.argument("run_id", metavar="RUN")
@click.option("--by", "actor", default=getpass.getuser, help="Who gives it up.  [default: you]")
@workspace_option
def abort(run_id: str, actor: str, root: Path) -> None:
    """Give an open run up: it gets its terminal record. A rollout in progress is ended by `rollout abort` first."""
    from gatewright.domain.errors import Pending
    from gatewright.engine.ending import end_run

    workspace = opened(root)
    run = workspace.runs.get(run_id)
    rollout = workspace.rollouts.of_run(run_id)
    if rollout is not None and not rollout.phase.terminal:
        raise Pending(f"rollout {rollout.id} of this run is {rollout.phase}", fix="gatewright rollout abort")
    with run.hold():
        record = end_run(workspace, run, kind="aborted", why=f"given up by {actor}", actor=actor)
    click.echo(f"run {run_id}: {record.kind}, {record.why}")


def _row(run: Any) -> dict[str, str]:
    ended = run.read("deployment-record")
    if ended is not None:
        return {"run": run.id, "state": ended.status, "why": str(ended.body["record"]["why"]).partition("\n")[0]}
    passed = [path.stem for path in run.path.glob("*.json")]
    reasons = run.need("lock", "validate").body["reasons"]
    state = "working" if run.held() else "open"
    return {"run": run.id, "state": state, "why": f"{'; '.join(reasons)} ({len(passed)} hand-offs)"}
