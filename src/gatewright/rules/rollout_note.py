"""What is told of a rollout where its code was reviewed: a deployment's state, and a comment. Pure."""

from __future__ import annotations

from gatewright.domain.forge import DeploymentState
from gatewright.domain.notice import Notice, NoticeKind
from gatewright.rules.markdown_text import code, marker, table, text
from gatewright.rules.notices import SAID

TOLD: tuple[NoticeKind, ...] = (
    "progress", "approval", "paused", "rolling_back", "rolled_back", "promoted", "restored", "blind", "stable",
)  # fmt: skip
"""What changes how a deployment stands, or needs a person."""
_MARKS = {"promoted": "✅", "restored": "↩️", "rolling_back": "❌", "rolled_back": "❌", "progress": "▶️"}
_WHY = 1500


def state_of(notice: Notice) -> DeploymentState:
    """The state of the deployment: one that is paused, or on its way back, is still in progress."""
    match notice.kind:
        case "promoted" | "restored":
            return "success"
        case "rolled_back":
            return "failure"
        case _:
            return "in_progress"


def description_of(notice: Notice) -> str:
    """The state in a short line, the numbers first: services cut it."""
    return f"version {notice.version} {SAID[notice.kind]} at {notice.weight:g} %: {notice.why.partition(chr(10))[0]}"


def rollout_marker(notice: Notice) -> str:
    """By which the one comment of a rollout is found again."""
    return marker("gatewright-rollout", notice.model, notice.rollout)


def rollout_note(notice: Notice, environment: str, run_url: str) -> str:
    """The comment: how it stands, why, and where to look."""
    mark = _MARKS.get(notice.kind, "⏸️")
    facts = [
        ("environment", f"`{code(environment)}`"),
        ("weight", f"{notice.weight:g} %"),
        ("rollout", f"`{code(notice.rollout)}`"),
        ("run", f"`{code(notice.run)}`"),
        ("by", text(notice.actor)),
        ("when", f"{notice.at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    if run_url:
        facts.append(("told by", f"[this job]({run_url})"))
    lines = [
        f"### {mark} {text(notice.model)} version {notice.version} {SAID[notice.kind]}",
        "",
        text(notice.why, _WHY),
        "",
        *table(("", ""), facts),
        "",
        "`gatewright rollout status` tells more.",
    ]
    return "\n".join(lines)
