"""A sample of six rows, as tests of the queue and of the labels need it."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from gatewright.domain.labelling import SampleFacts

FACTS = SampleFacts(
    id="2026-06-30-12345678",
    dataset="people-eval",
    model="toy",
    source="test",
    window_from=datetime(2026, 6, 1, tzinfo=UTC),
    window_to=datetime(2026, 6, 30, tzinfo=UTC),
    traffic_rows=60,
    rows=6,
    allocation="proportional",
    random_share=0.3,
    seed=1,
    columns=(),
    strata=(),
    id_column="id",
    label="employed",
    digest="sha256:1",
    created_at=datetime(2026, 7, 1, tzinfo=UTC),
    personal=("name",),
)
ROWS = pl.DataFrame(
    {
        "id": [11, 12, 13, 14, 15, 16],
        "name": ["Ann", "Bob", "Cid", "Dee", "Eve", "Fay"],
        "AGE": [30, None, 50, 60, 70, 80],
        "note": ["a", "b,c", 'd"e', "f\ng", "h", "ü"],
        "weight": [10.0] * 6,
        "stratum": ["all"] * 6,
        "random": [True] * 6,
    }
)
