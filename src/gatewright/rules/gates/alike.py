"""Numbers are compared only when they speak of the same rows, measured in the same way."""

from __future__ import annotations

from gatewright.domain.documents import short
from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import Measures


def check_alike(candidate: Measures, baseline: Measures) -> tuple[str, ...]:
    """What could not be told of the two; UnusableInput when the evaluation sets or the metrics are known to differ.

    A newer evaluation set alone moves accuracy, with no model changed: a candidate on it beside the stored number of a
    baseline on the older one compares rows, not models.
    """
    ours, theirs = candidate.evaluation_digest, baseline.evaluation_digest
    if ours is not None and theirs is not None and ours != theirs:
        raise UnusableInput(
            f"the report was measured on the evaluation set {short(ours)}, the baseline on {short(theirs)}: "
            "their difference would be that of the rows, not of the models",
            fix="score the baseline on the same rows and write its numbers anew: gatewright evalset refresh does it, "
            "and so does gatewright compare",
        )
    metric, other = candidate.metric_version, baseline.metric_version
    if metric is not None and other is not None and metric != other:
        raise UnusableInput(
            f"the report measures by {metric}, the baseline by {other}", fix="measure the baseline anew in the same way"
        )
    if (ours is None) != (theirs is None):
        silent = "the baseline" if theirs is None else "the report"
        return (
            f"{silent} does not name its evaluation set (evaluation_digest): nobody can tell whether both speak of the "
            "same rows",
        )
    return ()
