"""`gatewright rollout preflight`: can the plan come to a conclusion at the present traffic?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option
from gatewright.cli.output import say, say_json, span, table

if TYPE_CHECKING:
    from gatewright.engine.preflight import Preflight
    from gatewright.rules.horizon import ShadowPlan, StepPlan


@click.command()
@click.option(
    "--rate",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="R",
    help="Requests a second to plan with.  [default: those of the last hour]",
)
@click.option("--accept-underpowered", is_flag=True, help="Exit 0 also for a plan that cannot conclude.")
@workspace_option
@output_option
def preflight(rate: float | None, accept_underpowered: bool, root: Path, output: Output) -> None:
    """How long each step will take at the present traffic, if the canary is as good as what serves.

    Exit 3 when a step cannot conclude before it would pause as inconclusive.

    \b
    Examples:
      gatewright rollout preflight
      gatewright rollout preflight --rate 20
      gatewright rollout preflight --rate 0.5 --accept-underpowered
    """
    from gatewright.domain.errors import Underpowered
    from gatewright.engine.preflight import preflight as ask
    from gatewright.engine.preflight import preflight_view

    found = ask(opened(root), rate)
    if output == "json":
        say_json(preflight_view(found))
    else:
        _show(found)
    if not found.plan.concludes and not accept_underpowered:
        weak = ", ".join(step.name for step in found.plan.weak)
        raise Underpowered(
            f"step {weak} of the plan cannot conclude at {found.plan.per_second:.3g} requests/s",
            fix="a higher weight, a longer hold or max_extension, wider promote margins, or --accept-underpowered",
        )


def _show(found: Preflight) -> None:
    plan, history = found.plan, found.history
    source = "as told by --rate" if found.assumed else "seen in the last hour"
    say(f"{plan.per_second:.3g} requests/s, {source}; stable's history: {history.requests:,} requests ({found.source})")
    rows = [_shadow_row(plan.shadow)] if plan.shadow else []
    rows += [_row(step) for step in plan.steps]
    table(rows, head=("STEP", "WEIGHT", "HOLD", "REQUESTS", "EVIDENCE", "EXPECTED", "LIMIT"))
    say(f"all steps: {_time(plan.expected_s)}")


def _row(step: StepPlan) -> tuple[str, ...]:
    return (
        f"{step.step + 1}",
        f"{step.weight:g} %",
        _time(step.hold_s),
        f"{_time(step.requests_s)} for {step.needed_requests:,}",
        _time(step.evidence_s),
        _time(step.expected_s),
        _limit(step),
    )


def _shadow_row(step: ShadowPlan) -> tuple[str, ...]:
    """Copies stand where the other rows have requests."""
    copies = f"{_time(step.copies_s)} for {step.needed_copies:,} copies"
    return ("0", "shadow", _time(step.hold_s), copies, "-", _time(step.expected_s), _limit(step))


def _limit(step: StepPlan | ShadowPlan) -> str:
    return f"{_time(step.limit_s)}  " + (click.style("ok", fg="green") if step.concludes else _bad("too short"))


def _bad(text: str) -> str:
    return click.style(text, fg="red")


def _time(seconds: float) -> str:
    return "never" if seconds == float("inf") else span(seconds)
