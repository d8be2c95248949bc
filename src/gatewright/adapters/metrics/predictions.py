"""Live evidence from what the model servers predicted: quality by labels that come late, slices, and drift.

A block of quality holds the labels of requests that arrived in one window of time under one weight, and that came in
one window of time: a late label opens a new block, and both arms are compared at equal age of their labels. Windows are
those of the clock, whenever somebody looks, so that no look can choose what is in a block.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from gatewright.adapters.metrics import copies, sliced, told
from gatewright.adapters.metrics.copies import Copied
from gatewright.adapters.metrics.told import PastQuality
from gatewright.adapters.metrics.user_groups import by_group
from gatewright.domain.documents import short
from gatewright.domain.evidence import DriftObservation, Look, Observation, PastSlices, SliceObservation
from gatewright.domain.feedback import Labelled
from gatewright.domain.rollout import QualityMargins, Rollout
from gatewright.domain.shadow import ShadowObservation
from gatewright.rules.evidence import interval_s
from gatewright.stats import drift
from gatewright.store.feedback import Feedback, Sliced

_SETTLE_S = 2.5
_MOST_AT_ONCE = 16 << 20
_HISTORY = 20_000
_OUTPUTS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far was told: up to which moment labels and predictions, and the numbers that the database had then.

    What is written later for a moment that was told already opens a block of its own.
    """

    labels_until: float = 0.0
    label: int = 0
    requests_until: float = 0.0
    request: int = 0
    sliced: tuple[int, int] = (0, 0)
    copies_until: float = 0.0
    copy: int = 0


class PredictionEvidence:
    """Quality, drift and slices of one rollout, through a cursor."""

    def __init__(self, feedback: Feedback) -> None:
        self._feedback = feedback

    def past_quality(self, rollout: Rollout, margins: QualityMargins, now: datetime) -> PastQuality:
        """What the newest labels say of stable."""
        self._feedback.catch_up(now, most=_MOST_AT_ONCE)
        seen = self._feedback.labelled_of(short(rollout.stable or ""), _HISTORY)
        return told.past(told.of_kind(seen, margins), margins)

    def observe(self, rollout: Rollout, cursor: str, now: datetime) -> Look:
        """Blocks since `cursor`; none while the log is still being caught up with."""
        if not self._feedback.catch_up(now, most=_MOST_AT_ONCE):
            return Look(cursor=cursor)
        known = _decoded(cursor)
        observations: tuple[Observation, ...] = ()
        blocks: tuple[DriftObservation, ...] = ()
        outputs: list[tuple[float, str]] = []
        slices: tuple[SliceObservation, ...] = ()
        labels_until, label = known.labels_until, known.label
        requests_until, request = known.requests_until, known.request
        if margins := rollout.policy.quality:
            labels_until = max(known.labels_until, _closed(now, margins.block.seconds))
            found, label = self._feedback.labelled(
                rollout.id, after=known.labels_until, before=labels_until, beyond=known.label
            )
            found = told.of_kind(found, margins)
            observations = tuple(_quality(rollout, margins, found))
            slices = tuple(sliced.blocks(rollout, "quality", _labels(margins, found)))
        tick_s = interval_s(rollout.policy)
        if rollout.policy.drift or rollout.policy.slices:
            requests_until = max(known.requests_until, _closed(now, tick_s))
        if rollout.policy.drift:
            rows, request = self._feedback.answered(
                rollout.id, after=known.requests_until, before=requests_until, beyond=known.request
            )
            blocks = tuple(_drift(rollout, rows, tick_s))
            if rollout.drift is None:
                outputs = self._feedback.outputs_of(short(rollout.stable or ""), _OUTPUTS)
        numbers, past_slices = known.sliced, None
        if rollout.policy.slices:
            asked, numbers = self._feedback.sliced(
                rollout.id, after=known.requests_until, before=requests_until, beyond=known.sliced
            )
            slices += tuple(sliced.blocks(rollout, "errors", _requests(asked, tick_s)))
            past_slices = self._past_slices(rollout) if rollout.slices is None else None
        seen: tuple[ShadowObservation, ...] = ()
        copied = Copied(until=known.copies_until, number=known.copy)
        if rollout.policy.shadow:
            window = _closed(now, interval_s(rollout.policy))
            seen, copied = copies.observe(self._feedback, rollout, rollout.policy.shadow, copied, window)
        after = Cursor(
            labels_until=labels_until,
            label=label,
            requests_until=requests_until,
            request=request,
            sliced=numbers,
            copies_until=copied.until,
            copy=copied.number,
        )
        return Look(
            cursor=json.dumps(asdict(after)),
            observations=observations,
            drift=blocks,
            slices=slices,
            past_slices=past_slices,
            shadow=seen,
            stable_outputs=tuple(output for output, _ in outputs),
            stable_users=tuple(user for _, user in outputs) if all(user for _, user in outputs) else (),
        )

    def _past_slices(self, rollout: Rollout) -> PastSlices:
        """What the slices to follow are chosen from."""
        stable, margins = short(rollout.stable or ""), rollout.policy.quality
        seen = told.of_kind(self._feedback.labelled_of(stable, _HISTORY), margins) if margins else []
        losses = [(label.slices, told.lost(label, margins)) for label in seen if margins]
        return sliced.past(self._feedback.slices_of(stable, _HISTORY), losses)


def _decoded(cursor: str) -> Cursor:
    fields = json.loads(cursor) if cursor else {}
    return Cursor(**{**fields, "sliced": tuple(fields.get("sliced", (0, 0)))})


def _labels(margins: QualityMargins, labels: Iterable[Labelled]) -> Iterator[sliced.Event]:
    window_s = margins.block.seconds
    for label in labels:
        window = (int(label.at // window_s), int(label.arrived // window_s))
        yield window, label.weight, label.arm, label.slices, told.lost(label, margins)


def _requests(requests: Iterable[Sliced], tick_s: float) -> Iterator[sliced.Event]:
    for at, weight, arm, slices, failed in requests:
        yield (int(at // tick_s), int(at // tick_s)), weight, arm, slices, float(failed)


def _closed(now: datetime, window_s: float) -> float:
    """The end of the last window that is over."""
    return (now.timestamp() - _SETTLE_S) // window_s * window_s


def _quality(rollout: Rollout, margins: QualityMargins, labels: Iterable[Labelled]) -> Iterator[Observation]:
    canary, stable = short(rollout.canary), short(rollout.stable or "")
    window_s = margins.block.seconds
    losses: dict[tuple[int, int, float], dict[str, list[float]]] = defaultdict(lambda: {canary: [], stable: []})
    by_stable: dict[tuple[int, int, float], list[tuple[str, bool]]] = defaultdict(list)
    for label in labels:
        if label.arm in (canary, stable) and label.weight:
            window = int(label.at // window_s), int(label.arrived // window_s), label.weight
            loss = told.lost(label, margins)
            losses[window][label.arm].append(loss)
            if label.arm == stable and margins.by == "label":
                by_stable[window].append((label.user, loss > 0.0))
    for window, lost in sorted(losses.items()):
        _, arrival, weight = window
        block = told.block(lost[canary], lost[stable], margins)
        groups = by_group(by_stable[window])
        yield Observation(metric="quality", weight=weight, tick=arrival, block=block, groups=groups)


def _drift(
    rollout: Rollout, rows: Iterable[tuple[float, float, str, float]], tick_s: float
) -> Iterator[DriftObservation]:
    """Nothing before the cells are chosen: what they were chosen by must not be judged by them."""
    if rollout.drift is None:
        return
    canary, stable = short(rollout.canary), short(rollout.stable or "")
    found: dict[tuple[int, float], dict[str, list[float]]] = defaultdict(lambda: {canary: [], stable: []})
    for at, weight, arm, prediction in rows:
        if weight and arm in (canary, stable):
            found[int(at // tick_s), weight][arm].append(prediction)
    for (tick, weight), outputs in sorted(found.items()):
        counts = {arm: drift.count(rollout.drift.cells, values) for arm, values in outputs.items()}
        yield DriftObservation(weight=weight, tick=tick, canary=counts[canary], stable=counts[stable])
