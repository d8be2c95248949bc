"""All live evidence of a rollout in one look: requests of both arms, and the predictions of their model servers."""

from __future__ import annotations

import json
from dataclasses import replace

from gatewright.adapters.metrics.predictions import PredictionEvidence
from gatewright.domain.errors import GatewrightError
from gatewright.domain.evidence import History, Look
from gatewright.domain.rollout import Rollout
from gatewright.ports import Context, MetricSource
from gatewright.store.asked_slices import ask_for
from gatewright.store.feedback import Feedback
from gatewright.store.prediction_log import log_folder


class LiveMetrics:
    """Port `MetricSource`. `requests` is where errors and latency are read, as the section `evidence` says."""

    def __init__(self, requests: MetricSource, context: Context) -> None:
        self._requests = requests
        self._folder = log_folder(context.root, context.model)
        self._predictions = PredictionEvidence(Feedback(self._folder))
        self._clock = context.clock

    def history(self, rollout: Rollout) -> History:
        """Stable's own past before the rollout."""
        history = self._requests.history(rollout)
        if rollout.policy.quality is None:
            return history
        past = self._predictions.past_quality(rollout, rollout.policy.quality, self._clock.now())
        effects = {**history.design_effects, "quality": past.design_effect}
        return replace(
            history,
            labelled=past.labelled,
            wrong=past.wrong,
            wrong_squares=past.squares or 0.0,
            design_effects=effects,
        )

    def observe(self, rollout: Rollout, tick: int) -> Look:
        """Blocks of every metric that the policy names; if one source cannot be read, the look has failed."""
        policy = rollout.policy
        try:
            ask_for(self._folder, policy.slices)
        except GatewrightError as error:
            return Look(cursor=rollout.cursor, error=str(error))
        if not (policy.quality or policy.drift or policy.shadow or policy.slices):
            return self._requests.observe(rollout, tick)
        cursors = json.loads(rollout.cursor) if rollout.cursor else {"requests": "", "predictions": ""}
        seen = self._requests.observe(replace(rollout, cursor=cursors["requests"]), tick)
        if seen.error:
            return replace(seen, cursor=rollout.cursor)
        try:
            more = self._predictions.observe(rollout, cursors["predictions"], self._clock.now())
        except GatewrightError as error:
            return Look(cursor=rollout.cursor, error=str(error))
        return replace(
            more,
            cursor=json.dumps({"requests": seen.cursor, "predictions": more.cursor}),
            observations=(*seen.observations, *more.observations),
            draws=seen.draws,
            durations=seen.durations,
            requests=seen.requests,
        )
