"""A rollout as one self-contained HTML file: its picture, its evidence, its policy and every event. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gatewright.domain.evidence import Durations
from gatewright.domain.records import DeploymentRecord
from gatewright.domain.rollout import Phase, Rollout
from gatewright.rules import evidence, live_slices, shadow
from gatewright.stats import durations
from gatewright.web.page import template
from gatewright.web.pictures import rollout_svg

_TONES = {Phase.PROMOTED: "pass", Phase.PROMOTING: "pass", Phase.ROLLED_BACK: "fail", Phase.ROLLING_BACK: "fail"}


def rollout_page(rollout: Rollout, ticks: Sequence[Mapping[str, Any]], records: Sequence[DeploymentRecord]) -> str:
    """The whole page. `ticks` are the stored looks, oldest first; `records` those that name this rollout."""
    from markupsafe import Markup

    return template("rollout.html").render(
        rollout=rollout,
        state=rollout.phase.value.replace("_", " "),
        tone=_TONES.get(rollout.phase, "open"),
        picture=Markup(rollout_svg(rollout, ticks, records)) if ticks else None,
        standings=evidence.shown(rollout),
        sliced=live_slices.standing(rollout),
        shadow=shadow.standing(rollout),
        p99=_p99(rollout.durations),
        looks=len(ticks),
        records=records,
    )


def _p99(known: Durations | None) -> str:
    """The percentile of both arms in words; empty before there is anything."""
    arms = (("canary", known.canary), ("stable", known.stable)) if known else ()
    found = ((arm, durations.p99(cells)) for arm, cells in arms)
    return ", ".join(f"{arm} {p99.value:.3g} ms [{p99.low:.3g}, {_end(p99.high)}]" for arm, p99 in found if p99)


def _end(ms: float) -> str:
    return f"{ms:.3g}" if math.isfinite(ms) else "–"
