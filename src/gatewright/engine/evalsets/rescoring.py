"""Production on the rows of an evaluation set: how well it does there, with an interval that knows the weights.

What it predicts is kept by (model, evaluation set, metric version), so the next run does not ask it again.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.lineage import DataVersion
from gatewright.engine.evalsets.uncertainty import production, scratch
from gatewright.engine.proofs import laid_out
from gatewright.engine.scoring import score
from gatewright.ports import Progress
from gatewright.workspace import STATE, Workspace

LEVEL = 0.95


def rescore(workspace: Workspace, version: DataVersion, progress: Progress) -> dict[str, Any]:
    """Production's primary metric on `version`: value, 95 % interval, rows, effective rows, and both digests.

    UnusableInput before a version serves.
    """
    artifact = production(workspace)
    weighed = weighing(workspace, version)
    with scratch(workspace.root / STATE) as folder:
        progress.waiting(f"production on {version.name} {version.version}")
        data = laid_out(workspace, version, folder / "data")
        report = score(weighed, folder, {"candidate": artifact}, version.digest, data, progress)
    value, low, high = _interval(report)
    return {
        "model": artifact.digest,
        "evaluation": {"name": version.name, "version": version.version, "digest": version.digest},
        "metric": report.metric,
        "metric_version": report.metric_version,
        "value": value,
        "low": low,
        "high": high,
        "level": LEVEL,
        "rows": report.overall.rows,
        "effective_rows": round(report.overall.effective_rows, 1),
    }


def weighing(workspace: Workspace, version: DataVersion) -> Workspace:
    """The workspace as it has to be configured for `version`: with the weights that its lineage names, if it does."""
    column, stratum = version.lineage.get("weight"), version.lineage.get("stratum")
    evaluation = replace(workspace.project.evaluation, weight=column, stratum=stratum if column else None)
    if column is not None and evaluation.cluster is not None:
        raise UnusableInput("evaluation.cluster cannot be used with weights", fix="remove evaluation.cluster")
    return replace(workspace, project=replace(workspace.project, evaluation=evaluation))


def _interval(report: EvaluationReport) -> tuple[float, float, float]:
    """A share's interval by Wilson at as many rows as its variance is worth, of other metrics the normal one."""
    from scipy.special import ndtri

    from gatewright.rules.gates.overall import candidate_value
    from gatewright.stats.intervals import wilson_of_share

    value, _ = candidate_value(report, report.overall)
    estimate = report.overall.scores.get(report.metric)
    if report.metric == "accuracy":
        variance = estimate.candidate_var if estimate is not None else value * (1.0 - value) / report.overall.rows
        rows = value * (1.0 - value) / variance if variance > 1e-15 else report.overall.effective_rows
        return value, *wilson_of_share(value, rows, level=LEVEL)
    if estimate is None:
        return value, math.nan, math.nan
    reach = float(ndtri(0.5 + LEVEL / 2)) * math.sqrt(estimate.candidate_var)
    return value, value - reach, value + reach
