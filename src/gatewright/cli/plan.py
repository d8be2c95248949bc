"""`gatewright plan`: what would run, why, and what would not, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli.options import OutputOrMarkdown, opened, output_or_markdown_option, workspace_option
from gatewright.cli.output import say, say_json, table, wrapped

if TYPE_CHECKING:
    from gatewright.engine.planning import Planned
    from gatewright.rules.plan import Plan

NOTHING_TO_DO = 7
_MARKS = {True: "run", False: "skip"}
_HEADS = {
    "nothing": "nothing to do",
    "evaluate": "evaluate, without training",
    "everything": "everything runs",
    "blocked": "blocked",
}


@click.command()
@click.option("--exit-code", is_flag=True, help="Exit 7 when there is nothing to do.")
@click.option("--brief", is_flag=True, help="Only what changed and what it leads to, without the stages.")
@workspace_option
@output_or_markdown_option
@click.pass_context
def plan(context: click.Context, exit_code: bool, brief: bool, root: Path, output: OutputOrMarkdown) -> None:
    """Show what gatewright run would do now: what changed since the last promotion, which stages run, which do not.

    A stage is left out only by proof: everything that it reads has the same digests as in a run whose verdict passed.
    Nothing is changed. Exit 0, also when there is nothing to do (--exit-code: then 7); 1 when a breaking change of the
    data blocks the run.

    \b
    Examples:
      gatewright plan
      gatewright plan --output markdown >> "$GITHUB_STEP_SUMMARY"
      gatewright plan --output json                 action: nothing, evaluate, everything or blocked
      gatewright plan --exit-code || [ $? = 7 ]
    """
    from gatewright.engine.planning import plan_run, refuse_blocked

    planned = plan_run(opened(root))
    if output == "json":
        from gatewright.domain.documents import plain

        say_json(plain({**_head(planned), "plan": planned.plan}))
    elif output == "markdown":
        from gatewright.web.plan_markdown import plan_markdown

        say(plan_markdown(planned.plan, _compared(planned)).rstrip("\n"))
    else:
        _show(planned.plan, _compared(planned))
        if not brief:
            _show_stages(planned.plan)
    refuse_blocked(planned.plan)
    if exit_code and planned.plan.action == "nothing":
        context.exit(NOTHING_TO_DO)


def _compared(planned: Planned) -> str:
    record = planned.reference
    return (
        f"record {record.seq}, {record.kind}, run {record.run}" if record else "nothing: this is the first deployment"
    )


def _head(planned: Planned) -> dict[str, object]:
    return {"action": planned.plan.action, "compared_with": _compared(planned), "inputs": planned.inputs}


def _show(found: Plan, compared: str) -> None:
    say(wrapped(f"{_HEADS[found.action]}: {found.why}", first="", rest="  "))
    say(f"compared with {compared}")
    if found.changes:
        say("")
        rows = [(change.what, change.kind, f"{change.before} → {change.now}") for change in found.changes]
        table(rows, head=("CHANGED", "CLASS", "FROM → TO"))
        for change in found.changes:
            if change.why:
                say(wrapped(f"{change.what}: {change.why}", first="  ", rest="    "))


def _show_stages(found: Plan) -> None:
    if found.action in ("evaluate", "everything"):
        say("")
        rows = [(_MARKS[stage.runs], stage.stage, stage.why) for stage in found.stages]
        table(rows, head=("", "STAGE", "WHY"))
    for proof in dict.fromkeys(stage.proof for stage in found.stages if stage.proof):
        say(wrapped(f"proof: {proof}", first="", rest="  "))
