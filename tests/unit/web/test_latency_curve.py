"""The latency curve: both arms, p99 with its bound, the SLA."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from gatewright.domain.evaluation import Latency
from gatewright.web.latency_curve import BOTTOM, LEFT, RIGHT, TOP, latency_curve
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.web.judgements import evaluation

SVG = "{http://www.w3.org/2000/svg}"
PLAIN = Latency(p50_ms=2.0, p99_ms=9.0, p99_upper_ms=9.0, samples=500)


def drawn(candidate: Latency | None, baseline: Latency | None, sla: float | None) -> ET.Element:
    svg = latency_curve(candidate, baseline, sla)
    assert svg is not None
    return ET.fromstring(svg)


def texts(root: ET.Element) -> list[str]:
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


def test_the_whole_picture() -> None:
    report = evaluation()
    svg = latency_curve(report.candidate_latency, report.baseline_latency, 50.0)
    assert svg is not None
    assert_snapshot("views/latency-curve", svg)


def test_nothing_measured_nothing_drawn() -> None:
    assert latency_curve(None, None, 50.0) is None


def test_one_arm_without_a_curve_and_without_a_limit() -> None:
    root = drawn(PLAIN, None, None)
    assert {"candidate", "p50 2 ms, p99 9 ms", "p99 no bound, 500 calls"} <= set(texts(root))
    assert "baseline" not in texts(root)
    assert not [node for node in root.iter(f"{SVG}line") if node.get("class") == "limit"]


def test_the_bar_reaches_up_to_the_bound() -> None:
    root = drawn(Latency(p50_ms=2.0, p99_ms=10.0, p99_upper_ms=20.0, samples=500), None, 25.0)
    bar = next(
        node
        for node in root.iter(f"{SVG}line")
        if node.get("class") == "candidate" and node.attrib["x1"] == node.attrib["x2"]
    )
    zero = BOTTOM
    assert (zero - float(bar.attrib["y2"])) / (zero - float(bar.attrib["y1"])) - 2 < 0.01


def test_milliseconds_are_logarithmic_when_the_limit_is_far_away() -> None:
    assert "ms, logarithmic" in texts(drawn(PLAIN, None, 5000.0))
    assert "SLA 5 s" in texts(drawn(PLAIN, None, 5000.0))
    assert "ms" in texts(drawn(PLAIN, None, 20.0))


@given(
    st.floats(1e-3, 1e5),
    st.floats(1, 1e3),
    st.one_of(st.none(), st.floats(1e-3, 1e6)),
    st.lists(st.tuples(st.floats(0, 1), st.floats(1e-3, 1e5)), max_size=30),
)
def test_every_point_lies_inside_the_picture(
    p50: float, factor: float, sla: float | None, curve: list[tuple[float, float]]
) -> None:
    arm = Latency(p50_ms=p50, p99_ms=p50 * factor, p99_upper_ms=p50 * factor * 1.2, samples=300, curve=tuple(curve))
    root = drawn(arm, arm, sla)
    for node in root.iter(f"{SVG}polyline"):
        for pair in node.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert LEFT - 0.1 <= x <= RIGHT + 0.1
            assert TOP - 0.1 <= y <= BOTTOM + 0.1
    for node in root.iter(f"{SVG}line"):
        assert TOP - 0.1 <= float(node.attrib["y1"]) <= BOTTOM + 0.1 or float(node.attrib["x1"]) > RIGHT
