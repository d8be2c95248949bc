"""Which version drift is measured from, and when that would not be fair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from gatewright.adapters.data.files import FileSource
from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import DataVersion, Role
from gatewright.engine.intake import Addition, add_version
from gatewright.engine.validation import reference_for
from gatewright.rules.schema import Column, Drift, Schema
from gatewright.store.data_versions import DataVersions
from gatewright.workspace import Plugins

PEOPLE = Drift(reference="people")
SCHEMA = Schema(columns={"x": Column(type="int")}, drift=PEOPLE)
Add = Callable[..., DataVersion]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    def call(name: str, year: int, role: Role = "train") -> DataVersion:
        pl.DataFrame({"x": [year, len(name)]}).write_parquet(tmp_path / f"{name}-{year}.parquet")
        context = type("Folder", (), {"root": tmp_path, "read_again": True})()
        source: FileSource = Plugins().build("data", "file", None, context)
        when = datetime(year, 12, 31, tzinfo=UTC)
        addition = Addition(
            name=name, kind="file", uri=f"{name}-{year}.parquet", role=role, created_by="ann", data_to=when
        )
        versions, scratch = DataVersions(tmp_path), tmp_path / "scratch"
        return add_version(addition, source=source, versions=versions, schema=None, scratch=scratch, now=when)[0]

    return call


def called(root: Path, version: DataVersion | None, drift: Drift = PEOPLE, given: str | None = None) -> str:
    found = reference_for(DataVersions(root), replace(SCHEMA, drift=drift), version, given)
    assert found is not None
    return found.unjudged or found.called


def test_a_name_means_the_version_before(add: Add, tmp_path: Path) -> None:
    old, mid, new = add("people", 2015), add("people", 2016), add("people", 2017)
    assert called(tmp_path, new) == f"people {mid.version}"
    assert called(tmp_path, mid) == f"people {old.version}"
    assert called(tmp_path, old) == "there is no version of people before this one"
    assert called(tmp_path, None) == f"people {new.version}"


def test_a_version_or_an_alias_means_that_one(add: Add, tmp_path: Path) -> None:
    old, new = add("people", 2015), add("people", 2016)
    DataVersions(tmp_path).aliases.put("people", "production", old.version)
    assert called(tmp_path, new, Drift(reference="people@production")) == f"people {old.version}"
    assert called(tmp_path, old, Drift(reference="people@production")) == "it is this version itself"
    assert called(tmp_path, new, given=f"people@{old.version[:6]}") == f"people {old.version}"


def test_unlike_sets_are_not_held_against_each_other(add: Add, tmp_path: Path) -> None:
    add("people", 2015)
    evaluation = add("exam", 2016, "eval")
    assert called(tmp_path, evaluation) == "it is train data, this is eval data"
    traffic = add("live", 2016, "traffic")
    assert called(tmp_path, evaluation, Drift(reference="live")) == f"live {traffic.version}"
    weighted = replace(evaluation, lineage={"weight": "w"})
    assert "drawn with weights" in called(tmp_path, weighted, Drift(reference="live"))


def test_no_reference_and_one_that_is_not_there(add: Add, tmp_path: Path) -> None:
    version = add("people", 2015)
    assert reference_for(DataVersions(tmp_path), replace(SCHEMA, drift=None), version) is None
    with pytest.raises(UnusableInput, match="no data set 'nobody'"):
        reference_for(DataVersions(tmp_path), SCHEMA, version, "nobody")
