"""Pictures: well-formed, self-contained, and true to their numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gatewright.domain.records import DeploymentRecord
from gatewright.domain.rollout import Rollout, RolloutPolicy
from gatewright.web.charts import LEFT, RIGHT, WIDTH, Mark, evidence_panel, figure, weights_panel
from gatewright.web.pictures import rollout_svg

SVG = "{http://www.w3.org/2000/svg}"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in drawn(svg).iter(f"{SVG}text")]


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 100)), min_size=1, max_size=30),
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e300)), max_size=30),
    st.text(max_size=20),
)
def test_every_point_lies_inside_the_picture(
    weights: list[tuple[float, float]], evidence: list[tuple[float, float]], label: str
) -> None:
    panels = [
        weights_panel(sorted(weights), sorted(weights)),
        evidence_panel("e", [("errors", sorted(evidence))], [20.0]),
    ]
    printable = "".join(sign for sign in label if sign.isprintable())
    root = drawn(figure(printable, panels, [Mark(at=weights[0][0], label=printable)]))
    height = float(root.attrib["height"])
    for node in root.iter(f"{SVG}polyline"):
        for pair in node.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1
            assert 0 <= y <= height


def test_the_marks_of_a_rollout_are_its_records() -> None:
    rollout = Rollout(
        id="toy-2-abc",
        model="toy",
        run="r",
        number=2,
        canary="sha256:c",
        stable="sha256:s",
        policy=RolloutPolicy(),
        started_at=START,
    )
    standing = {
        "metric": "errors",
        "e_rollback": 3.0,
        "rollback_limit": 333.0,
        "e_promote": 25.0,
        "promote_limit": 20.0,
    }
    ticks = [
        {
            "at": (START + timedelta(seconds=second)).isoformat(),
            "weight": weight,
            "observed": seen,
            "standings": [standing],
        }
        for second, weight, seen in ((1, 5.0, 0.0), (2, 5.0, 5.0), (9, 25.0, None))
    ]
    svg = rollout_svg(rollout, ticks, [record("step", 1, 5.0), record("rolled_back", 9, 0.0)])
    assert {"5 %", "rolled back", "limit 333", "limit 20", "asked", "read back"} <= set(texts(svg))
    assert "rolled back after 9 s" in svg
    assert "drift" not in texts(svg)
    seen = {"limit": 1000.0, "e_pause": 70.0, "e_rollback": 0.5}
    svg = rollout_svg(rollout, [ticks[0], *({**tick, "drift": seen} for tick in ticks[1:])], [])
    assert {"drift", "limit 1000", "evidence of drift that pauses, e-value"} <= set(texts(svg))
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_what_was_not_read_back_is_not_drawn() -> None:
    svg = figure("t", [weights_panel([(0, 5), (9, 5)], [(9, 5)])], [])
    points = [node for node in drawn(svg).iter(f"{SVG}circle") if node.attrib["r"] == "2"]
    assert len(points) == 1


def record(kind: str, second: float, weight: float) -> DeploymentRecord:
    return DeploymentRecord(
        seq=1,
        at=START + timedelta(seconds=second),
        kind=kind,
        actor="gatewright",
        run="r",
        model="toy",
        why="because",
        rollout="toy-2-abc",
        before="sha256:s",
        after="sha256:c",
        evidence=None,
        details={"weight": weight},
        previous="sha256:0",
        digest="sha256:1",
    )
