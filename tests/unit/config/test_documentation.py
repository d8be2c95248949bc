"""docs/configuration.md cannot rot: it names every key, and what it shows is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from gatewright.config.nodes import parse
from gatewright.domain.duration import Duration
from gatewright.domain.project import Plugin, Project, SliceSpec
from gatewright.domain.rollout import DriftMargins, LiveSlice, QualityMargins
from gatewright.domain.shadow import Shadow
from tests.unit.config.installed import (
    DOCS,
    CloudWatchOptions,
    EnvoyOptions,
    EnvoyStatsOptions,
    PrometheusOptions,
    SagemakerOptions,
    complete_example,
    read,
    read_all,
    told,
)

PAGE = DOCS.read_text(encoding="utf-8")
EXAMPLES = [part.split("```")[0] for part in PAGE.split("```yaml\n")[1:]]


def classes(kind: Any) -> Iterator[type]:
    """Every dataclass of the file that `kind` holds."""
    if is_dataclass(kind) and isinstance(kind, type) and kind not in (Duration, Plugin, SliceSpec, LiveSlice):
        yield kind
        for annotation in get_type_hints(kind).values():
            yield from classes(annotation)
    for argument in get_args(kind):
        yield from classes(argument)


def test_walk_reaches_the_leaves() -> None:
    assert {kind.__name__ for kind in classes(Project)} >= {"Breaker", "Step", "LintSection", "LatencyGate"}


@pytest.mark.parametrize("kind", [*dict.fromkeys(classes(Project)), EnvoyOptions], ids=lambda kind: kind.__name__)
def test_page_names_every_key(kind: type) -> None:
    for field in fields(kind):
        assert re.search(rf"^\| `(?:\w+(?:\[\])?\.)*{field.name}`|^## {field.name}$|`{field.name}\.", PAGE, re.M), field
        assert re.search(rf"\b{field.name}:", complete_example()), f"{field.name} is not in the complete example"


def test_page_names_every_key_of_an_endpoint() -> None:
    table = PAGE.split("\n## serving\n")[1].split("\n## ")[0]
    for field in fields(SagemakerOptions):
        assert re.search(rf"`{field.name}`", table), field


@pytest.mark.parametrize(
    "kind", [CloudWatchOptions, EnvoyStatsOptions, *classes(PrometheusOptions)], ids=lambda kind: kind.__module__
)
def test_page_names_every_key_of_evidence(kind: type) -> None:
    table = PAGE.split("\n## evidence\n")[1].split("\n## ")[0]
    for field in fields(kind):
        assert re.search(rf"^\| `(?:queries\.)?{field.name}[`.]|`{field.name}\.", table, re.M), field


@pytest.mark.parametrize("section", ["models", *(field.name for field in fields(Project))])
def test_each_key_has_a_type_a_default_a_meaning_and_its_section_an_example(section: str) -> None:
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    head, _rule, *rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert head == ["key", "type", "default", "meaning"]
    assert rows
    for row in rows:
        assert len(row) == 4
        assert all(cell.strip() for cell in row), row
    assert "```yaml\n" in text


def test_the_line_for_editors_names_the_published_schema() -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith("# yaml-language-server: $schema=")]
    assert (DOCS.parents[1] / line.partition("=")[2]).is_file()


def test_complete_example_is_read_and_is_the_defaults(tmp_path: Path) -> None:
    project = read(tmp_path, complete_example())
    start = read(tmp_path, EXAMPLES[1])
    asked_for = {
        "quality": QualityMargins(),
        "drift": DriftMargins(),
        "slices": (LiveSlice(columns=("SEX",)),),
        "shadow": Shadow(),
        "latency": replace(start.rollout.latency, limit=Duration(0.05)),
    }
    assert project.rollout == replace(start.rollout, **asked_for)
    assert project.checks.dependencies is not None
    asked_of_checks = replace(project.checks.dependencies, service=None, allow=())
    assert replace(project.checks, data=None, dependencies=asked_of_checks) == start.checks
    assert project.serving == start.serving
    assert project.registry == start.registry
    assert project.train.timeout == start.train.timeout


@pytest.mark.parametrize("example", EXAMPLES[2:], ids=lambda example: example.split(":")[0])
def test_example_of_each_section_fits_in(tmp_path: Path, example: str) -> None:
    if "models:" in example:
        assert list(read_all(tmp_path, example).projects) == ["employment", "income"]
        return
    whole = parse(complete_example().encode(), "docs").value
    merged = {**whole, **parse(example.encode(), "docs").value}
    assert told(tmp_path, json.dumps(merged)) == []


def test_error_on_the_page_is_what_is_said(tmp_path: Path) -> None:
    faulty = complete_example().replace("overall: {margin: 0.02", "overall: {margn: 0.02")
    faulty = faulty.replace("slices: {max_drop: 0.04", "slices: {max_drop: 4")
    shown = PAGE.split("```text\n")[1].split("```")[0]
    for line in told(tmp_path, faulty):
        position, field, what = line.split(" ", 2)
        assert f"  gatewright.yaml:{position}: {field}: {what}\n" in shown
    assert shown.count("  gatewright.yaml:") == 2
