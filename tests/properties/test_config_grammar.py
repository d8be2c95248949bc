"""Over the whole grammar of gatewright.yaml: what is valid is read, and what is damaged is told where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gatewright.config.schema import json_schema
from gatewright.domain.errors import Problem
from tests.properties.test_config import Node, nodes, rebuilt
from tests.strategies import configurations, rendered
from tests.unit.config.installed import Installed, problems
from tests.unit.config.json_schema import fits

SCHEMA = json_schema(Installed())
NEEDED = frozenset(
    {"kind", "weight", "hold", "rollback_margin", "promote_margin", "label", "command", "column", "bins"}
)
Change = Callable[[Any, Any], list[tuple[Any, Any]]]


def at_length(examples: int) -> Callable[[Any], Any]:
    """Settings for `examples` examples; what is found need not be explained, which would take long."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, phases=phases, suppress_health_check=checks)


def damages(path: Node) -> list[Change]:
    """Changes that no configuration survives at `path`."""
    found: list[Change] = [lambda key, _value: [(key, True)], lambda key, _value: [(key, None)]]
    if isinstance(path[-1], str) and path[:-1] != ("models",):
        found.append(lambda key, value: [(f"{key}zz", value)])
    if path[-1] in NEEDED and path[-2:-1] != ("latency",):
        found.append(lambda _key, _value: [])
    return found


def assert_placed(found: list[Problem], text: str) -> None:
    """Every problem stands inside the file."""
    lines = text.split("\n")
    for problem in found:
        if problem.what.startswith("and "):
            continue
        line, column = problem.where.line, problem.where.column
        assert line is not None
        assert column is not None
        assert 1 <= line <= len(lines), problem
        assert 1 <= column <= len(lines[line - 1]) + 1, problem


def valid_and_damaged(tmp_path: Path, value: Any, data: st.DataObject) -> None:
    """A valid file is read, in blocks and as JSON, and fits the schema; one damage is told where it is."""
    assert problems(tmp_path, rendered(value)) == []
    assert problems(tmp_path, json.dumps(value)) == []
    assert fits(value, SCHEMA, SCHEMA)
    path = data.draw(st.sampled_from([path for path in nodes(value) if path]))
    twice = data.draw(st.booleans()) and isinstance(path[-1], str)
    damaged = value if twice else rebuilt(value, path, data.draw(st.sampled_from(damages(path))))
    text = rendered(damaged, twice=path if twice else None)
    found = problems(tmp_path, text)
    assert found
    assert_placed(found, text)
    assert twice or not fits(damaged, SCHEMA, SCHEMA)


def any_change(tmp_path: Path, value: Any, data: st.DataObject) -> None:
    """Whatever a value, or a part of the text, is replaced by: it is read, or told with places."""
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
        max_leaves=4,
    )
    path = data.draw(st.sampled_from([path for path in nodes(value) if path]))
    other = data.draw(anything)
    text = rendered(rebuilt(value, path, lambda key, _value: [(key, other)]))
    start = data.draw(st.integers(0, len(text)))
    length, piece = data.draw(st.tuples(st.just(0), st.just("")) | st.tuples(st.integers(0, 9), st.text(max_size=3)))
    text = text[:start] + piece + text[start + length :]
    assert_placed(problems(tmp_path, text.encode("utf-8", "replace")), text)


@at_length(100)
@given(value=configurations(), data=st.data())
def test_valid_and_damaged(tmp_path: Path, value: Any, data: st.DataObject) -> None:
    valid_and_damaged(tmp_path, value, data)


@at_length(40)
@given(value=configurations(), data=st.data())
def test_any_change(tmp_path: Path, value: Any, data: st.DataObject) -> None:
    any_change(tmp_path, value, data)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
@at_length(2500)
@given(value=configurations(), data=st.data())
def test_ten_thousand_examples(tmp_path: Path, part: int, value: Any, data: st.DataObject) -> None:
    valid_and_damaged(tmp_path, value, data)
    any_change(tmp_path, value, data)
