"""However a valid configuration is damaged, the answer is a ConfigError that points at the damage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewright.config.nodes import parse
from gatewright.config.problems import dotted
from gatewright.domain.errors import ConfigError
from tests.unit.config.installed import complete_example, problems, read

VALUE: dict[str, Any] = parse(complete_example().encode(), "f").value
FIELDS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Node = tuple[str | int, ...]

# What a change in one place can make wrong in another.
CONTRADICTION = re.compile(
    "nothing to judge|does not rise|is larger than|also the id|trained on|runs out|stands twice|leaves every gate|"
    "is no metric of|swap them|needs the log|belongs to format"
)
ODD: tuple[Any, ...] = (None, -7, 1e9, 12.5, "", " x ", "no", ".nan", [], {}, [[]], {"zz": 1}, ["a", "a"])


def nodes(value: Any, path: Node = ()) -> list[Node]:
    """The path of every value in `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in items for found in nodes(item, (*path, key)))]


def written(value: Any) -> str:
    """One line for each key and entry, so that a line says which of them is meant."""
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=False, allow_unicode=True)


def rebuilt(value: Any, path: Node, change: Any) -> Any:
    """`value` with the pair (key, value) at `path` replaced by those that `change` makes of it."""
    key, *rest = path
    after: list[Any] = []
    for name, old in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if name != key:
            after.append((name, old))
        elif rest:
            after.append((name, rebuilt(old, tuple(rest), change)))
        else:
            after.extend(change(name, old))
    return dict(after) if isinstance(value, dict) else [item for _, item in after]


def lines_of(text: str, path: Node) -> range:
    """The lines of the key at `path` and all that it holds."""
    document = parse(text.encode(), "f")
    first = document.key_place(path).line or 0
    inside = [document.place(found).line or 0 for found in nodes(document.value) if found[: len(path)] == path]
    return range(first, max(inside, default=first) + 1)


PATHS = [path for path in nodes(VALUE) if path]
KEYS = [path for path in PATHS if isinstance(path[-1], str)]


def test_the_example_is_valid(tmp_path: Path) -> None:
    assert problems(tmp_path, written(VALUE)) == []


@FIELDS
@given(path=st.sampled_from(PATHS))
def test_deleting(tmp_path: Path, path: Node) -> None:
    text = written(rebuilt(VALUE, path, lambda _key, _value: []))
    around = lines_of(text, path[:-1]) if path[:-1] else range(1, text.count("\n") + 1)
    for problem in problems(tmp_path, text):
        related = path[0] in ("fairness", "evaluation") and problem.field in ("gates.slices", "gates.fairness")
        assert related or problem.where.line in around, str(problem)


@FIELDS
@given(path=st.sampled_from(KEYS), suffix=st.sampled_from(["x", "_", "-y", "é"]))
def test_renaming(tmp_path: Path, path: Node, suffix: str) -> None:
    new = f"{path[-1]}{suffix}"
    text = written(rebuilt(VALUE, path, lambda _key, value: [(new, value)]))
    line = parse(text.encode(), "f").key_place((*path[:-1], new)).line
    found = problems(tmp_path, text)
    if path[0] in ("registry", "serving", "evidence") and path[-1] == "kind":
        assert any(problem.field == f"{path[0]}.kind" for problem in found)
    else:
        named = [problem for problem in found if problem.where.line == line]
        assert any(f"unknown word {new!r}" in problem.what for problem in named), found
        assert any(f"did you mean {path[-1]!r}" in problem.what for problem in named), found


def value_at(path: Node) -> Any:
    value: Any = VALUE
    for part in path:
        value = value[part]
    return value


@FIELDS
@given(path=st.sampled_from([path for path in PATHS if not isinstance(value_at(path), bool)]))
def test_a_type_that_is_right_nowhere(tmp_path: Path, path: Node) -> None:
    text = written(rebuilt(VALUE, path, lambda key, value: [(key, 5 if isinstance(value, bool) else True)]))
    line = parse(text.encode(), "f").place(path).line
    found = problems(tmp_path, text)
    assert any(problem.where.line == line and problem.field == dotted(path) for problem in found), found


@FIELDS
@given(path=st.sampled_from(PATHS), other=st.sampled_from(ODD))
def test_any_value_anywhere(tmp_path: Path, path: Node, other: Any) -> None:
    text = written(rebuilt(VALUE, path, lambda key, _value: [(key, other)]))
    lines = lines_of(text, path)
    for problem in problems(tmp_path, text):
        assert problem.where.line in lines or CONTRADICTION.search(problem.what), str(problem)


@FIELDS
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, data)
    assert caught.value.problems


@FIELDS
@given(position=st.integers(0, len(complete_example()) - 1), byte=st.binary(min_size=1, max_size=2))
def test_any_byte_overwritten(tmp_path: Path, position: int, byte: bytes) -> None:
    whole = complete_example().encode()
    for problem in problems(tmp_path, whole[:position] + byte + whole[position + len(byte) :]):
        assert problem.where.line is None or 1 <= problem.where.line <= whole.count(b"\n") + 3
