"""Pointer files: what was written is read back, nothing is overwritten, and an edited file is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatewright.domain.errors import DataError, UnusableInput
from gatewright.domain.lineage import DataFile, DataVersion
from gatewright.effects.files import digest_listing
from gatewright.rules.schema import fingerprint
from gatewright.store.data_versions import DataVersions, version_id

DAY = datetime(2026, 6, 30, 12, tzinfo=UTC)
COLUMNS = {"age": "int16", "no": "string", "1e5": "float64", "größe": "bool", "12": "int8"}


def make(mark: str = "a", **more: Any) -> DataVersion:
    files = (
        DataFile(path="2015.parquet", size=10, sha256=mark * 64),
        DataFile(path="b/x y.csv", size=0, sha256="0" * 64),
    )
    facts: dict[str, Any] = {
        "name": "acs-train", "version": "", "role": "train", "kind": "fileset", "uri": "data/acs", "files": files,
        "digest": digest_listing(files), "schema": COLUMNS, "fingerprint": fingerprint(COLUMNS), "rows": 7,
        "created_at": DAY + timedelta(hours=1), "data_from": DAY - timedelta(days=500), "data_to": DAY,
        "created_by": "Ann",
        "change": {"kind": "append", "rows_added": 3, "rows_removed": 0}, "parent": "2025-06-30-01234567",
        "labels": "employed", "lineage": {"job": "42", "when": "2026-01-01", "no": "yes"},
        "pin": "7", "immutable": True,
        "stats": {
            "columns": {
                "no": {"nulls": 1e-06, "values": {"no": 1, "1e5": 2, "null": 3, "": 1, "a: b": 1}},
                "x": {"nulls": 0.0, "low": -1.5, "high": 4503599627370496.0, "counts": [1, 2]},
            },
            "label": {"column": "employed", "rate": 0.5},
        },
    }  # fmt: skip
    version = DataVersion(**{**facts, **more})
    return replace(version, version=version_id(version))


@pytest.fixture
def versions(tmp_path: Path) -> DataVersions:
    return DataVersions(tmp_path)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def test_round_trip(versions: DataVersions, tmp_path: Path) -> None:
    version = make()
    path = versions.add(version)
    assert path == tmp_path / "data/versions/acs-train" / f"2026-06-30-{version.digest[7:15]}.yaml"
    assert versions.get("acs-train", version.version) == version
    assert DataVersions(tmp_path).all() == (version,)


@pytest.mark.parametrize(
    "names",
    [
        ["2015.parquet", "a/b-c_d.csv", "no.csv", "1e5.csv", "1.5.CSV.csv", "x" * 150 + ".csv"],
        ["größe.csv", "- a.csv", "a: b.csv", "#.csv", "'.csv", "[x].csv", "!x.csv", "~.csv"],
    ],
)
def test_names_of_files_are_read_as_they_were_written(tmp_path: Path, names: list[str]) -> None:
    files = tuple(DataFile(path=name, size=7, sha256="0" * 64) for name in sorted(names))
    version = make(files=files, digest=digest_listing(files))
    path = DataVersions(tmp_path).add(version)
    assert DataVersions(tmp_path).all() == (version,)
    assert [file["path"] for file in yaml.safe_load(path.read_text("utf-8"))["files"]] == sorted(names)


def test_what_is_left_out_has_defaults(versions: DataVersions) -> None:
    bare = make(labels=None, pin=None, parent=None, stats={}, lineage={}, immutable=False)
    versions.add(bare)
    assert versions.latest("acs-train", "train") == bare


def test_the_same_bytes_again_change_nothing(versions: DataVersions) -> None:
    path = versions.add(make())
    before = path.read_bytes()
    assert versions.add(make(data_to=DAY + timedelta(days=3), created_by="Bob")) == path
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def test_the_same_bytes_cannot_have_two_roles(versions: DataVersions) -> None:
    versions.add(make())
    with pytest.raises(UnusableInput, match="as train data"):
        versions.add(make(role="eval"))


def test_a_file_in_the_way_is_never_overwritten(versions: DataVersions) -> None:
    path = versions.path(make())
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    with pytest.raises(UnusableInput):
        versions.add(make())
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "a b", "x" * 65, "a\n"])
def test_names(versions: DataVersions, name: str) -> None:
    with pytest.raises(UnusableInput, match="no name for a data set"):
        versions.add(make(name=name))
    with pytest.raises(UnusableInput, match="no name for a data set"):
        versions.latest(name, "train")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"data_from": DAY + timedelta(days=1)}, "later than data_to"),
        ({"digest": "sha256:" + "b" * 64}, "not the digest of the files"),
        ({"fingerprint": "sha256:0"}, "not the fingerprint"),
        ({"rows": 0}, "rows"),
        ({"files": (DataFile(path="../x", size=1, sha256="a" * 64),)}, "not a plain path"),
        ({"created_by": "zero\u200bwidth"}, "invisible"),
    ],
)
def test_a_version_that_could_not_be_read_back_is_not_written(
    versions: DataVersions, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        versions.add(make(**changed))
    assert versions.all() == ()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("value: ", "value: f", "is no sha256"),
        ("size: 10", "size: 11", "is not the digest of the files"),
        ("age: int16", "age: int32", "is not the fingerprint"),
        ("name: acs-train", "name: other", "lies in the folder 'acs-train'"),
        ("version: 2026", "version: 2025", "but the file is called"),
        ("2026-06-30T12:00:00+00:00", "2026-07-01T12:00:00+00:00", "begins with 2026-07-01"),
        ("2026-06-30T12:00:00+00:00", "2026-06-30T12:00:00", "has no time zone"),
        ("role: train", "role: trian", "did you mean 'train'"),
        ("rows: 7", "rwos: 7", "did you mean 'rows'"),
        ("rows: 7", "rows: '7'", "whole number"),
        ("rows: 7", "rows: 7\nrows: 8", "stands twice"),
    ],
)
def test_an_edited_file_is_refused_at_its_place(versions: DataVersions, before: str, after: str, words: str) -> None:
    path = versions.add(make())
    edit(path, before, after)
    with pytest.raises(DataError, match=words) as caught:
        versions.get("acs-train", path.stem)
    where = caught.value.problems[0].where
    assert where.file == f"data/versions/acs-train/{path.name}"
    assert where.line
    assert where.column


def test_a_renamed_file_is_refused(versions: DataVersions) -> None:
    path = versions.add(make())
    other = path.with_name("2026-06-30-00000000.yaml")
    path.rename(other)
    with pytest.raises(DataError) as caught:
        versions.get("acs-train", other.stem)
    assert {problem.field for problem in caught.value.problems} == {"version", "digest.value"}


def test_all_tells_every_damaged_file(versions: DataVersions) -> None:
    for path in (versions.add(make("a")), versions.add(make("b"))):
        edit(path, "rows: 7", "rows: -7")
    with pytest.raises(DataError) as caught:
        versions.all()
    assert len({problem.where.file for problem in caught.value.problems}) == 2


def test_latest_is_the_greatest_data_to_then_created_at(versions: DataVersions) -> None:
    later = timedelta(hours=3)
    old = make("1", data_to=DAY - timedelta(days=400), created_at=DAY + timedelta(days=9))
    noon, evening = make("2"), make("3", data_to=DAY + later)
    again = make("4", data_to=DAY + later, created_at=DAY + timedelta(days=1))
    other = make("5", role="eval", data_to=DAY + timedelta(days=50))
    for version in (again, noon, other, old, evening):
        versions.add(version)
    assert versions.latest("acs-train", "train") == again
    assert versions.latest("acs-train", "eval") == other
    assert versions.all("acs-train") == (old, noon, evening, again, other)


def test_get_takes_a_beginning_that_is_unique(versions: DataVersions) -> None:
    first, second = make("a"), make("b", data_to=DAY - timedelta(days=30))
    versions.add(first)
    versions.add(second)
    assert versions.get("acs-train", "2026-05") == second
    with pytest.raises(UnusableInput, match="can mean 2 versions") as caught:
        versions.get("acs-train", "2026")
    assert first.version in caught.value.fix


@pytest.mark.parametrize("version", ["2027", "", "*", "../x"])
def test_unknown_versions_tell_the_known_ones(versions: DataVersions, version: str) -> None:
    path = versions.add(make())
    with pytest.raises(UnusableInput) as caught:
        versions.get("acs-train", version)
    assert path.stem in caught.value.fix


def test_unknown_sets_and_roles(versions: DataVersions) -> None:
    with pytest.raises(UnusableInput, match="no data set 'acs-train'"):
        versions.latest("acs-train", "train")
    versions.add(make())
    with pytest.raises(UnusableInput, match="no version of role eval"):
        versions.latest("acs-train", "eval")
    with pytest.raises(UnusableInput) as caught:
        versions.get("acs-trian", "2026")
    assert "acs-train" in caught.value.fix


def test_text_is_made_for_people(versions: DataVersions) -> None:
    text = versions.add(make()).read_text("utf-8")
    assert re.search(r"^role: train$", text, re.MULTILINE)
    assert re.search(r"^    x: \{nulls: 0\.0, low: -1\.5, .*\}$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) < 140
