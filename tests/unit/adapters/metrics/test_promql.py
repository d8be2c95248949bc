"""Queries of a team: which series they are made of, and what is refused before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.adapters.metrics.placeholders import filled, values_of
from gatewright.adapters.metrics.promql import limit_values, selectors
from tests.unit.adapters.metrics.test_counted import ROLLOUT
from tests.unit.config.installed import told
from tests.unit.config.test_project import START

SECTION = """\
evidence:
  kind: prometheus
  url: http://prometheus:9090
  slow_above: 250ms
  scrape_interval: 10s
  queries:
    total: 'sum(a_total{v="{arm}"})'
    good: 'sum(a_total{v="{arm}",code=~"2.."})'
    fast: 'sum(a_bucket{v="{arm}",le="{le}"})'
"""
TOTAL = "'sum(a_total{v=\"{arm}\"})'"


def test_selectors_are_found_past_texts_and_functions() -> None:
    expression = "sum by (x) (a:b{c=\"}{[\",d='@'} or {__name__=`e\\`}) - scalar(f)*count(a:b{c=\"}{[\",d='@'})"
    assert selectors(expression) == ("a:b{c=\"}{[\",d='@'}", "{__name__=`e\\`}")
    assert selectors('sum(a {b="\\"}"})') == ('a{b="\\"}"}',)
    assert selectors("sum(up)") == ()


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ('sum(rate(a{b="c"}[5m]))', "has a range"),
        ('sum(a{b="c"} offset 5m)', "another time"),
        ('sum(a{b="c"} @ 5)', "another time"),
        ('sum(a{b="c")', "never closed"),
        ("sum(a})", "never opened"),
        ("sum(a{b='c})", "never ends"),
        ("label_replace(a, 'b", "never ends"),
    ],
)
def test_what_is_no_expression_over_counters_is_refused(expression: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        selectors(expression)


def test_placeholders_stand_for_the_arm() -> None:
    values = {**values_of(ROLLOUT, "canary"), **limit_values(0.25)}
    text = filled("{arm} {role} {model} {rollout} {le} {le_ms} {digest}", values)
    assert text == f"model-{'a' * 12} canary toy r1 0.25 250 {'a' * 64}"
    assert values_of(ROLLOUT, "stable")["arm"] == f"model-{'b' * 12}"
    assert limit_values(1.0) == {"le": "1", "le_ms": "1000"}


def test_the_section_is_read(tmp_path: Path) -> None:
    assert told(tmp_path, START + SECTION) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "{arm}\"})'\n    good",
            "{arn}\"})'\n    good",
            "unknown placeholder {arn}: did you mean {arm}? allowed: {arm}, ",
        ),
        (TOTAL, "'sum(a_total{v=\"{le}\"})'", "unknown placeholder {le}: "),
        (TOTAL, "'sum(a_total{v=\"x\"})'", "is the same for both arms: one of {arm}, {digest} and {role}"),
        (TOTAL, "'sum(total_of_{role})'", "names no series of one arm"),
        (TOTAL, "'sum(a_total{v=\"{arm}\"}[5m])'", "has a range in [ ]"),
        ('le="{le}"', 'le="0.25"', "does not name its bucket by the limit"),
        ("    good:", "    goods:", "unknown word 'goods': did you mean 'good'?"),
        ("    good:", "    errors: 'sum(e{v=\"{arm}\"})'\n    good:", "needs one of good and errors"),
        ("scrape_interval: 10s", "scrape_interval: 15s", "15s is longer than the 10s between two looks"),
        ("  scrape_interval: 10s\n", "", "evidence.scrape_interval is missing"),
        (
            "http://prometheus",
            "http://user:hunter2@prometheus",
            "evidence.url 'http://…@prometheus:9090' is no server address",
        ),
        ("http://prometheus", "file://prometheus", "is no server address"),
        ("http://prometheus", "http://169.254.169.254", "is no server address"),
        ("http://prometheus:9090", "http://prometheus:9090/?a=b", "is no server address"),
        (
            "  queries:",
            "  token_variable: Bearer abc\n  queries:",
            "token_variable this text is no variable name: The name",
        ),
        ("kind: prometheus", "kind: promtheus", "unknown kind 'promtheus': did you mean 'prometheus'?"),
        ("kind: prometheus", "kind: live", "unknown kind 'live'"),
    ],
)
def test_what_is_wrong_with_the_section_is_told_where_it_stands(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert SECTION.count(old) == 1
    (line,) = told(tmp_path, START + SECTION.replace(old, new))
    assert problem in line
    assert "Bearer" not in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{kind: envoy-stats}", ""),
        ("{kind: envoy-stats, url: 'http://10.0.0.1:9901', cluster: 'model-{role}', slow_above: 250ms}", ""),
        ("{kind: envoy-stats, cluster: 'model-{rol}'}", "unknown placeholder {rol}: did you mean {role}?"),
        ("{kind: envoy-stats, cluster: model}", "is the same for both arms"),
        ("{kind: envoy-stats, url: 'envoy:9901'}", "evidence.url 'envoy:9901' is no server address: http://"),
    ],
)
def test_the_section_of_envoy_is_read(tmp_path: Path, section: str, problem: str) -> None:
    lines = told(tmp_path, f"{START}evidence: {section}\n")
    assert len(lines) == bool(problem)
    assert problem in "".join(lines)
