from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gatewright.domain.lineage import DataVersion
from gatewright.rules.evalset import age

UNTIL = datetime(2025, 1, 1, tzinfo=UTC)
VERSION = DataVersion(
    name="acs-eval",
    version="2024",
    role="eval",
    kind="file",
    uri="data/eval.csv",
    digest="sha256:1",
    files=(),
    schema={},
    fingerprint="sha256:2",
    rows=10,
    created_at=datetime(2025, 2, 1, tzinfo=UTC),
    data_from=datetime(2024, 1, 1, tzinfo=UTC),
    data_to=UNTIL,
    created_by="ada",
)


@pytest.mark.parametrize(
    ("days", "state"),
    [(0, "fresh"), (75, "fresh"), (75.99, "fresh"), (76, "ageing"), (90, "ageing"), (91, "overdue"), (4000, "overdue")],
)
def test_the_age_counts_from_what_the_data_speaks_of(days: float, state: str) -> None:
    found, text = age(VERSION, UNTIL + timedelta(days=days))
    assert found == state
    assert f"speaks until 2025-01-01, {int(days)} days ago" in text
