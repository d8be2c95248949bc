"""A plan as Markdown, for the comment of a pull request. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.rules.markdown_text import table, text
from gatewright.rules.plan import Plan

_HEADS = {
    "nothing": "⏭️ Nothing to do",
    "evaluate": "🔁 Evaluate, without training",
    "everything": "▶️ Everything runs",
    "blocked": "❌ Blocked",
}


def plan_markdown(plan: Plan, compared: str) -> str:
    """What happens first, then what changed, then the stages with their reasons and proofs."""
    return "\n".join(_lines(plan, compared)) + "\n"


def _lines(plan: Plan, compared: str) -> Iterator[str]:
    yield f"## Plan: {_HEADS[plan.action]}"
    yield ""
    yield f"{text(plan.why)}. Compared with {text(compared)}."
    if plan.changes:
        yield ""
        rows = [
            (text(change.what), f"**{change.kind}**", text(f"{change.before} → {change.now}"), text(change.why))
            for change in plan.changes
        ]
        yield from table(("changed", "class", "from → to", "why"), rows)
    if plan.action in ("evaluate", "everything"):
        yield ""
        marks = {True: "▶️ run", False: "⏭️ skip"}
        yield from table(("", "stage", "why"), [(marks[each.runs], each.stage, text(each.why)) for each in plan.stages])
    for proof in dict.fromkeys(stage.proof for stage in plan.stages if stage.proof):
        yield ""
        yield f"Proof: {text(proof)}."
