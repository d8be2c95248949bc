"""`gatewright data` with bytes from elsewhere, as a shell sees it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.fixtures import make_dvc
from tests.fixtures.s3 import Faulty, faulty_server
from tests.unit.cli.conftest import Shell


def csv(first: int, count: int) -> bytes:
    return pl.DataFrame({"id": range(first, first + count), "y": [n % 2 for n in range(count)]}).write_csv().encode()


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty_server() as found:
        found.files = {"/set.csv": csv(0, 10)}
        yield found


def recorded(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted((folder / "data/versions").rglob("*.yaml")))


def test_a_url_is_added_verified_and_fetched(shell: Shell, empty: Path, server: Faulty) -> None:
    url = f"{server.address}/set.csv"
    added = shell("data", "add", "set", url, "--label", "y", "--data-to", "2026-06-30")
    assert added.code == 0, added.err
    assert "first version of set as train data: 10 rows" in added.out
    assert f"kind: fsspec, uri: {url!r}, pin: 'marks:" in recorded(empty).replace('"', "'").replace("\n   ", "")
    asked = len(server.asked)
    assert "(by its pin and sizes; --bytes reads it)" in shell("data", "verify").out
    fetched = json.loads(shell("data", "fetch", "set", "--output", "json").out)
    assert Path(fetched["path"]).read_bytes() == csv(0, 10)
    assert len(server.asked) == asked, "nothing came twice"
    assert json.loads(shell("data", "verify", "--bytes", "--output", "json").out)[0]["by"] == "bytes"
    assert len(server.asked) > asked


def test_changed_bytes_behind_a_url(shell: Shell, empty: Path, server: Faulty) -> None:
    url = f"{server.address}/set.csv"
    shell("data", "add", "set", url, "--data-to", "2026-06-29")
    server.files["/set.csv"] = csv(0, 12)
    verified = shell("data", "verify")
    assert (verified.code, "changed   set 2026-06-29-" in verified.out) == (2, True)
    assert "set.csv: recorded 45 bytes" in verified.err
    appended = shell("data", "add", "set", url, "--data-to", "2026-06-30")
    assert "append against 2026-06-29-" in appended.out, "the parent's bytes are still in the cache"
    assert "2 rows added" in appended.out


def test_data_that_is_no_table_is_told_by_its_url(shell: Shell, empty: Path, server: Faulty) -> None:
    server.files["/set.csv"] = b"id,y\n"
    told = shell("data", "add", "set", f"{server.address}/set.csv")
    assert (told.code, f"{server.address}/set.csv:1: there is a header, but no rows" in told.err) == (2, True)
    assert not (empty / "data").exists()


def test_a_service_that_is_down_is_exit_4(shell: Shell, empty: Path, server: Faulty) -> None:
    server.mode = "500"
    told = shell("data", "add", "set", f"{server.address}/set.csv")
    assert (told.code, "is the service up" in told.err) == (4, True)


def test_secrets_in_a_url_are_not_repeated(shell: Shell, empty: Path) -> None:
    told = shell("data", "add", "set", "s3://key:hunter2@bucket/set.csv")
    assert (told.code, "credentials" in told.err, "hunter2" in told.err + told.out) == (2, True, False)


def test_a_dvc_file(shell: Shell, empty: Path) -> None:
    shutil.copytree(make_dvc.HERE, empty, dirs_exist_ok=True)
    second = (empty / "data.dvc").read_bytes()
    shutil.copyfile(empty / "first.dvc", empty / "data.dvc")
    assert "3 rows" in shell("data", "add", "set", "data.dvc", "--data-to", "2026-06-29").out
    (empty / "data.dvc").write_bytes(second)
    told = shell("data", "add", "set", "data.dvc", "--data-to", "2026-06-30")
    assert "append against" in told.out
    assert "the parent's files are all there, 1 new with 2 rows" in told.out
    assert shell("data", "verify").out.count("by its pin and sizes") == 2


def test_a_delta_table(shell: Shell, empty: Path) -> None:
    from deltalake import write_deltalake

    write_deltalake(empty / "table", pl.DataFrame({"id": [1, 2], "y": [0, 1]}))
    shell("data", "add", "set", "table", "--data-to", "2026-06-29")
    write_deltalake(empty / "table", pl.DataFrame({"id": [3], "y": [0]}), mode="append")
    told = shell("data", "add", "set", "table", "--data-to", "2026-06-30")
    assert "append against" in told.out
    write_deltalake(empty / "table", pl.DataFrame({"id": [1, 2], "y": [0, 0]}), mode="overwrite")
    assert "content against" in shell("data", "add", "set", "table", "--data-to", "2026-07-01").out
    assert [version["pin"] for version in pins(empty)] == ["0", "1", "2"]


def pins(folder: Path) -> list[dict[str, str]]:
    import yaml

    files = sorted((folder / "data/versions").rglob("*.yaml"))
    return [yaml.safe_load(path.read_text())["source"] for path in files]


def test_a_kind_can_be_told(shell: Shell, empty: Path) -> None:
    (empty / "set.csv").write_bytes(csv(0, 3))
    told = shell("data", "add", "set", "set.csv", "--kind", "parchment")
    assert (told.code, "installed: delta, dvc, file, fileset, fsspec" in told.err) == (2, True)
    assert "cannot be read as a Delta table" in shell("data", "add", "set", "set.csv", "--kind", "delta").err
    assert shell("data", "add", "set", "set.csv", "--kind", "file").code == 0
    assert pins(empty)[0]["kind"] == "file"


def test_the_cache_is_shown_and_pruned(shell: Shell, empty: Path, server: Faulty) -> None:
    assert shell("data", "cache").out == "0 files, 0 bytes in .gatewright/data-cache\n"
    shell("data", "add", "set", f"{server.address}/set.csv")
    assert shell("data", "cache", "--prune", "--limit", "1 MB").out.startswith("removed 0 files")
    assert json.loads(shell("data", "cache", "--prune", "--output", "json").out)["removed"]["files"] == 1
    assert shell("data", "cache", "--limit", "1MB").code == 2
    assert "is no size" in shell("data", "cache", "--prune", "--limit", "much").err
    assert shell("data", "fetch", "set").code == 0, "and it comes again"


def test_a_schema_is_suggested(shell: Shell, empty: Path) -> None:
    (empty / "set.csv").write_bytes(csv(0, 40))
    assert "  id: {type: int, unique: true}" in shell("data", "infer-schema", "set.csv").out
    shell("data", "add", "named", "set.csv")
    assert '  "y": {type: int, enum: [0, 1]}' in shell("data", "infer-schema", "named").out
    assert list((empty / ".gatewright").glob("data-infer-*")) == []
    assert "2 columns from 40 rows" in shell("data", "infer-schema", "named", "--file", "data/schema.yaml").out
    (empty / "data/schema.yaml").write_text("mine")
    refused = shell("data", "infer-schema", "named", "--file", "data/schema.yaml")
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert (empty / "data/schema.yaml").read_text() == "mine"
    assert shell("data", "infer-schema", "named", "--file", "data/schema.yaml", "--force").code == 0
    assert "unique" in (empty / "data/schema.yaml").read_text()
    assert shell("data", "infer-schema", "nothing").code == 2
