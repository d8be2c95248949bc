"""The forest plot: true to its numbers, readable without colour, and never out of its frame."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.domain.evaluation import ALL
from gatewright.domain.gate import Comparison, GateResult, Verdict
from gatewright.web.forest import LEFT, PLOT_END, WIDTH, forest
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.web.judgements import FAIL, HURTS, INCONCLUSIVE, PASS, compared, judgement, slices

SVG = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).resolve().parents[3] / "docs" / "images" / "forest.svg"


def gate(*comparisons: Comparison) -> GateResult:
    return GateResult(gate="slices", verdict=PASS, why="", comparisons=comparisons)


def drawn(*comparisons: Comparison, at_most: int = 60) -> ET.Element:
    svg = forest(gate(*comparisons), at_most=at_most)
    assert svg is not None
    return ET.fromstring(svg)


def texts(root: ET.Element) -> list[str]:
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


def signs(root: ET.Element, name: str) -> list[ET.Element]:
    return [node for node in root.iter() if name in node.get("class", "").split() and not node.tag.endswith("line")]


def test_the_whole_picture() -> None:
    svg = forest(judgement().results[1])
    assert svg is not None
    assert_snapshot("views/forest", svg)


def test_a_gate_without_changes_has_no_picture() -> None:
    level = compared("SEX", 10, PASS, None, kind="level")
    assert forest(gate(level)) is None


def test_all_rows_come_first_then_the_worst() -> None:
    root = drawn(*slices(), compared(ALL, 9000, PASS, -0.01))
    names = [text for text in texts(root) if text in (ALL, "SEX=1", "RAC1P=6", "DIS=1", "RAC1P=4")]
    assert names == [ALL, "RAC1P=6", "DIS=1", "SEX=1", "RAC1P=4"]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("accuracy", "candidate − baseline"),
        ("log_loss", "baseline − candidate"),
        ("demographic_parity_difference", "baseline − candidate"),
        ("demographic_parity_ratio", "candidate − baseline"),
    ],
)
def test_worse_is_left_whatever_way_the_metric_points(metric: str, words: str) -> None:
    root = drawn(compared("worse", 500, FAIL, 0.05, metric=metric), compared("better", 500, PASS, -0.05, metric=metric))
    assert words in texts(root)
    assert {"−0.0500 [−0.0700, −0.0300]", "+0.0500 [+0.0300, +0.0700]"} <= set(texts(root))
    (bad,), (good, _) = signs(root, "fail")[:1], signs(root, "pass")
    assert float(bad.attrib["x"]) < float(good.attrib["cx"])


def test_the_shape_alone_tells_the_verdict() -> None:
    root = drawn(
        compared("p", 500, PASS, 0.0),
        compared("f", 500, FAIL, 0.1),
        compared("i", 500, INCONCLUSIVE, 0.02),
        compared("w", 500, FAIL, 0.06, waived_by="ada"),
    )

    def looks(name: str) -> set[tuple[str, bool]]:
        return {(node.tag.removeprefix(SVG), node.attrib["fill"] == "#ffffff") for node in signs(root, name)}

    assert looks("pass") == {("circle", False)}
    assert looks("fail") == {("rect", False)}
    assert looks("inconclusive") == {("circle", True)}
    assert looks("waived") == {("polygon", True)}
    assert {"pass", "fail", "inconclusive", "waived"} <= set(texts(root))


def test_too_many_rows_say_how_many_are_left_out_and_keep_what_fails() -> None:
    many = [compared(f"S={number}", 500, PASS, 0.001 * number) for number in range(100)]
    root = drawn(*many, compared("mild", 100_000, FAIL, -0.5, 0.001), at_most=60)
    shown = texts(root)
    assert "… and 41 more" in shown
    assert {"S=99", "S=41", "mild"} <= set(shown)
    assert "S=40" not in shown


def test_foreign_names_stay_text() -> None:
    root = drawn(compared(HURTS, 500, PASS, 0.01))
    assert not list(root.iter(f"{SVG}script"))
    assert any(text.startswith("<script>alert") for text in texts(root))


@given(
    st.lists(
        st.tuples(
            st.floats(-1e3, 1e3),
            st.floats(0, 1e3),
            st.one_of(st.none(), st.floats(0, 1e3)),
            st.sampled_from(tuple(Verdict)),
            st.text(max_size=60),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_everything_lies_inside_the_picture(rows: list[tuple[float, float, float | None, Verdict, str]]) -> None:
    root = drawn(*(compared(name, 100, verdict, harm, half, limit=limit) for harm, half, limit, verdict, name in rows))
    height = float(root.attrib["height"])
    for node in root.iter(f"{SVG}line"):
        assert all(LEFT - 0.1 <= float(node.attrib[x]) <= WIDTH for x in ("x1", "x2"))
        assert all(0 <= float(node.attrib[y]) <= height for y in ("y1", "y2"))
    for node in root.iter(f"{SVG}circle"):
        assert LEFT - 0.1 <= float(node.attrib["cx"]) <= PLOT_END + 0.1


def test_the_picture_in_the_documentation_is_current() -> None:
    assert DOCS.read_text(encoding="utf-8") == forest(judgement().results[1])
