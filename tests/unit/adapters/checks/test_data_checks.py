"""A command and a pandera schema of the team's own, asked about real data."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import polars as pl
import pytest

from gatewright.adapters.checks.data_command import CommandCheck
from gatewright.adapters.checks.pandera_schema import PanderaCheck
from gatewright.domain.duration import Duration
from gatewright.domain.lineage import DataVersion
from gatewright.domain.project import DataChecksSection
from gatewright.ports import CheckResult, Context

CONTEXT = cast("Context", SimpleNamespace())
VERSION = cast("DataVersion", SimpleNamespace(name="people", version="2016-1", role="train"))
SCHEMA = """
import pandera.polars as pa
import polars as pl

class People(pa.DataFrameModel):
    age: int = pa.Field(ge=0, le=99)
    name: str
"""


def asked(root: Path, code: str, *words: str, seconds: float = 60.0) -> CheckResult:
    section = DataChecksSection(command=(sys.executable, "-c", code, *words), timeout=Duration(seconds))
    return CommandCheck(section, CONTEXT).run(root, root / "data.parquet", VERSION)


def test_the_command_is_told_what_to_look_at(tmp_path: Path) -> None:
    code = "import json, sys; print(json.dumps({'summary': ' '.join(sys.argv[1:])}))"
    result = asked(tmp_path, code, "{data.path}", "{data.name}", "{data.version}", "{data.role}")
    assert result == CheckResult(
        check="data:people:command", status="passed", summary=f"{tmp_path / 'data.parquet'} people 2016-1 train"
    )


def test_findings_of_a_command(tmp_path: Path) -> None:
    code = """
import json
print(json.dumps({"findings": [{"rule": "age", "what": "too old", "column": "AGEP", "count": 1234}]}))
raise SystemExit(1)
"""
    result = asked(tmp_path, code)
    assert (result.status, result.summary) == ("failed", "1 finding")
    (found,) = result.findings
    assert (found.where, found.rule, found.what) == ("2016-1", "age", "AGEP: too old (1,234 rows)")


def test_the_last_words_are_findings_without_a_document(tmp_path: Path) -> None:
    result = asked(tmp_path, "print('three rows'); raise SystemExit(1)")
    assert [found.what for found in result.findings] == ["three rows"]
    assert [found.what for found in asked(tmp_path, "raise SystemExit(1)").findings] == ["it said nothing"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("import json; print(json.dumps({'findings': [{'rule': 'a', 'what': 'b'}]}))", "ended with 0 but named 1"),
        ("print('{broken'); raise SystemExit(1)", "cannot be read"),
        ("print('{\"findings\": [{}]}'); raise SystemExit(1)", "cannot be read"),
        ("import threading; threading.Event().wait()", "did not end within"),
    ],
)
def test_what_says_nothing_about_the_data_is_no_pass(tmp_path: Path, code: str, why: str) -> None:
    result = asked(tmp_path, code, seconds=0.5 if "Event" in code else 60.0)
    assert result.status == "unavailable"
    assert why in result.summary


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    section = DataChecksSection(command=("no-such-program",))
    result = CommandCheck(section, CONTEXT).run(tmp_path, tmp_path, VERSION)
    assert (result.status, "no such program" in result.summary) == ("unavailable", True)


def pandera(root: Path, name: str = "people:People") -> CheckResult:
    (root / "people.py").write_text(SCHEMA)
    return PanderaCheck(DataChecksSection(pandera=name), CONTEXT).run(root, root / "data.parquet", VERSION)


def test_a_real_pandera_schema(tmp_path: Path) -> None:
    frame = pl.DataFrame({"age": [1, 2, 3], "name": ["a", "b", "c"]})
    frame.write_parquet(tmp_path / "data.parquet")
    result = pandera(tmp_path)
    assert (result.status, result.summary) == ("passed", "people:People: nothing found")
    frame.with_columns(age=pl.Series([1, -2, 300])).write_parquet(tmp_path / "data.parquet")
    result = pandera(tmp_path)
    assert result.status == "failed"
    assert sorted(found.what for found in result.findings) == [
        "age: fails greater_than_or_equal_to(0) (1 rows)",
        "age: fails less_than_or_equal_to(99) (1 rows)",
    ]
    assert "300" not in str(result.findings)


def test_a_schema_that_is_not_there(tmp_path: Path) -> None:
    result = pandera(tmp_path, "people:Peeple")
    assert result.status == "unavailable"
    assert "people:Peeple cannot be loaded (AttributeError" in result.summary
