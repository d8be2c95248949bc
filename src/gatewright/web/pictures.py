"""The picture of a rollout: its weights with the marks of its decisions, and its evidence against the limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gatewright.domain.records import DeploymentRecord
from gatewright.domain.rollout import Rollout
from gatewright.web.charts import BAD, GOOD, WAIT, Mark, evidence_panel, figure, weights_panel

_TONES = {
    "promoted": GOOD,
    "confirmed": GOOD,
    "restored": GOOD,
    "promoting": GOOD,
    "rolling_back": BAD,
    "rolled_back": BAD,
    "paused": WAIT,
}


def rollout_svg(rollout: Rollout, ticks: Sequence[Mapping[str, Any]], records: Sequence[DeploymentRecord]) -> str:
    """An SVG of one rollout. `ticks` are its stored looks, oldest first; `records` those that name it."""
    start = rollout.started_at

    def since(moment: str | datetime) -> float:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return (at - start).total_seconds()

    asked = [(since(tick["at"]), float(tick["weight"])) for tick in ticks]
    observed = [(since(tick["at"]), float(tick["observed"])) for tick in ticks if tick["observed"] is not None]
    return figure(
        f"{rollout.id}: {rollout.phase.value.replace('_', ' ')}",
        [
            weights_panel(asked, observed),
            _evidence(
                "evidence for a rollback, e-value",
                ticks,
                since,
                "e_rollback",
                "rollback_limit",
                {"drift": "e_rollback", "slices": "e"},
            ),
            _evidence("evidence for promotion, e-value", ticks, since, "e_promote", "promote_limit", {}),
            *_drift(ticks, since),
        ],
        [_mark(record, since(record.at)) for record in records],
    )


def _evidence(
    title: str, ticks: Sequence[Mapping[str, Any]], since: Any, value: str, limit: str, more: Mapping[str, str]
) -> Any:
    """One curve per metric; `more` names what else was observed, and what is shown of it."""
    curves: dict[str, list[tuple[float, float]]] = {}
    limits = set()
    for tick in ticks:
        for standing in tick["standings"]:
            curves.setdefault(standing["metric"], []).append((since(tick["at"]), float(standing[value])))
            limits.add(float(standing[limit]))
        for name, shown in more.items():
            if seen := tick.get(name):
                curves.setdefault(name, []).append((since(tick["at"]), float(seen[shown])))
                limits.add(float(seen["limit"]))
    return evidence_panel(title, list(curves.items()), sorted(limits))


def _drift(ticks: Sequence[Mapping[str, Any]], since: Any) -> list[Any]:
    """A panel of its own for what only pauses, where it is observed."""
    if not any(tick.get("drift") for tick in ticks):
        return []
    seen = [{**tick, "standings": []} for tick in ticks]
    return [_evidence("evidence of drift that pauses, e-value", seen, since, "", "", {"drift": "e_pause"})]


def _mark(record: DeploymentRecord, at: float) -> Mark:
    weight = record.details.get("weight")
    label = f"{weight:g} %" if record.kind == "step" and weight is not None else record.kind.replace("_", " ")
    return Mark(at=at, label=label, tone=_TONES.get(record.kind, WAIT))
