"""Is the evaluation set still fit to judge by?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from gatewright.domain.errors import UnusableInput
from gatewright.domain.labelling import DESIGN_COLUMNS
from gatewright.domain.lineage import DataVersion
from gatewright.domain.project import EvaluationSection

WARN_DAYS = 75
FAIL_DAYS = 90
_UNIFORM = ("uniform", "random", "simple-random", "simple random", "census", "all")
"""Words of a lineage for samples in which every row stands for as many."""


def age(version: DataVersion, now: datetime) -> tuple[Literal["fresh", "ageing", "overdue"], str]:
    """How old the set is, counted from `data_to`: a warning after 75 days, a failure after 90."""
    days = (now - version.data_to).days
    text = f"the evaluation set {version.version} speaks until {version.data_to:%Y-%m-%d}, {days} days ago"
    if days > FAIL_DAYS:
        return "overdue", f"{text}; at most {FAIL_DAYS} days are allowed"
    if days > WARN_DAYS:
        return "ageing", f"{text}; it is overdue after {FAIL_DAYS} days"
    return "fresh", text


def due(version: DataVersion) -> datetime:
    """From when on a newer set is wanted: the first moment at which `age` warns."""
    return version.data_to + timedelta(days=WARN_DAYS + 1)


def check_weighed(version: DataVersion, evaluation: EvaluationSection | None = None) -> None:
    """UnusableInput for rows that were not sampled uniformly and have no weights, or whose weights nobody uses.

    Accuracy on what a model is unsure of, or gets wrong, is not that on the traffic: measured on census data, −5.6 and
    −13 points. Only weights, the inverse chances of being drawn, bring it back. Without `evaluation` only the lineage
    and the columns are looked at.
    """
    method = str(version.lineage.get("sampling", "")).strip().lower()
    column = version.lineage.get("weight")
    named = f"{version.name} {version.version}"
    if method and method not in _UNIFORM and (column is None or column not in version.schema):
        raise UnusableInput(
            f"{named} was sampled by {method!r} and carries no weights: accuracy on it is biased",
            fix="sample with weights: gatewright evalset sample; or record the column that has them: --lineage "
            "weight=COLUMN",
        )
    if evaluation is None:
        return
    if column is not None and evaluation.weight != column:
        raise UnusableInput(
            f"the rows of {named} carry weights in the column {column}, and nobody would use them",
            fix=f"write evaluation: {{weight: {column}{_stratum(version)}}} into gatewright.yaml",
        )
    wanted = {"evaluation.weight": evaluation.weight, "evaluation.stratum": evaluation.stratum}
    for key, name in wanted.items():
        if name is not None and name not in version.schema:
            raise UnusableInput(
                f"{named} has no column {name}, which {key} names",
                fix=f"remove {key}, or make a set with weights: gatewright evalset refresh",
            )


def design_columns(version: DataVersion) -> tuple[str, ...]:
    """The columns that a sample has added to those of the data, which no schema file needs to name."""
    return DESIGN_COLUMNS if version.role == "eval" and "sample" in version.lineage else ()


def _stratum(version: DataVersion) -> str:
    return f", stratum: {version.lineage['stratum']}" if "stratum" in version.lineage else ""
