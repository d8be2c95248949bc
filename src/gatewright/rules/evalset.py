"""Is the evaluation set still fit to judge by?"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from gatewright.domain.lineage import DataVersion

WARN_DAYS = 75
FAIL_DAYS = 90


def age(version: DataVersion, now: datetime) -> tuple[Literal["fresh", "ageing", "overdue"], str]:
    """How old the set is, counted from `data_to`: a warning after 75 days, a failure after 90."""
    days = (now - version.data_to).days
    text = f"the evaluation set {version.version} speaks until {version.data_to:%Y-%m-%d}, {days} days ago"
    if days > FAIL_DAYS:
        return "overdue", f"{text}; at most {FAIL_DAYS} days are allowed"
    if days > WARN_DAYS:
        return "ageing", f"{text}; it is overdue after {FAIL_DAYS} days"
    return "fresh", text
