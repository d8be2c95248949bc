"""How often a cron expression strikes, as far as that matters to a rollout."""

from __future__ import annotations

from gatewright.ci.pipeline import Pipeline

_MINUTES = 60


def too_rare(pipeline: Pipeline, lease_s: float) -> str:
    """What is wrong when the canary's weight lapses between two ticks; empty when it holds, or nothing ticks."""
    crons = [job.cron for job in pipeline.scheduled if job.name == "tick" and job.cron]
    if not crons or longest_pause_s(crons[0]) < lease_s:
        return ""
    return (
        f"between two ticks ({crons[0]}) lie up to {longest_pause_s(crons[0]) / 60:g} minutes, and without a look the "
        f"canary keeps its weight for {lease_s / 60:g} minutes: set rollout.lease to more than twice the pause, or let "
        "gatewright rollout controller run on the machine"
    )


def longest_pause_s(cron: str) -> float:
    """Seconds between two strikes within a day, of which hours and days are left out of account."""
    minutes = sorted(_minutes(cron.split(" ")[0]))
    pauses = [after - before for before, after in zip(minutes, [*minutes[1:], minutes[0] + _MINUTES], strict=True)]
    return 60.0 * max(pauses)


def _minutes(field: str) -> set[int]:
    """The minutes of an hour that one field of a cron expression names."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0", "", "59") if span == "*" else span.partition("-")
        end = int(last) if last else (59 if step else int(first))
        found |= set(range(int(first), end + 1, int(step or 1)))
    return found
