"""Broken tables: one clear error each."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gatewright.domain.errors import DataError
from gatewright.effects.tables import reading, scan

FRAME = pl.DataFrame({"a": list(range(5000)), "b": [f"value {n}" for n in range(5000)]})


def parquet_bytes(folder: Path) -> bytes:
    FRAME.write_parquet(folder / "whole.parquet")
    data = (folder / "whole.parquet").read_bytes()
    (folder / "whole.parquet").unlink()
    return data


@pytest.mark.parametrize(
    ("name", "data", "words", "line"),
    [
        ("x.parquet", b"", "the file is empty", None),
        ("x.parquet", b"PAR1PAR1", "cannot be read", None),
        ("x.parquet", b"a,b\n1,2\n", "cannot be read", None),
        ("x.csv", b"", "the file is empty", None),
        ("x.csv", b"a,b\n", "no rows", 1),
        ("x.csv", b"a,b\n1,x\n2,\xe9\n", "byte 0xe9 is not UTF-8", 3),
        ("x.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16", 1),
        ("x.csv", b"a,b\n1,x\0\n", "NUL", 2),
        ("x.csv", b"a,b\n1,\xc3", "cut off", 2),
        ("x.csv", b"a,b,a\n1,2,3\n", "'a' stands twice", 1),
        ("x.csv", b"a,,c\n1,2,3\n", "no name", 1),
        ("x.txt", b"a,b\n1,2\n", "end in .parquet or .csv", None),
    ],
)
def test_broken_files(tmp_path: Path, name: str, data: bytes, words: str, line: int | None) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        scan(tmp_path / name)
    (problem,) = caught.value.problems
    assert words in problem.what
    assert (problem.where.file, problem.where.line) == (str(tmp_path / name), line)
    assert caught.value.fix


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_truncated_parquet(tmp_path: Path, share: float) -> None:
    data = parquet_bytes(tmp_path)
    (tmp_path / "x.parquet").write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match="cannot be read"):
        scan(tmp_path / "x.parquet")


def test_damage_inside_a_parquet_file_is_told_when_it_is_read(tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path)
    path = tmp_path / "x.parquet"
    path.write_bytes(data[:4] + b"\xff" * 200 + data[204:])
    with pytest.raises(DataError, match="cannot be read"), reading(path):
        scan(path).frame.select(pl.all().count()).collect(engine="streaming")


def test_a_longer_row_than_the_header_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n1,2\n1,2,3\n")
    with pytest.raises(DataError, match="cannot be read"), reading(path):
        scan(path).raw.collect(engine="streaming")


def test_parquet_without_rows(tmp_path: Path) -> None:
    FRAME.clear().write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="no rows"):
        scan(tmp_path / "x.parquet")


def test_csv_keeps_its_text_and_gets_types_from_every_row(tmp_path: Path) -> None:
    lines = "".join(f"{n},2026-01-31\n" for n in range(3000))
    (tmp_path / "x.csv").write_text(f"n,d\n{lines}0.5,2026-01-31\n")
    table = scan(tmp_path / "x.csv")
    assert not table.typed
    assert table.raw.collect_schema() == {"n": pl.String, "d": pl.String}
    assert table.frame.collect_schema() == {"n": pl.Float64, "d": pl.Date}


def test_files_of_one_version_are_one_table(tmp_path: Path) -> None:
    FRAME.head(3).write_parquet(tmp_path / "1.parquet")
    FRAME.tail(2).select("b", "a").write_parquet(tmp_path / "2 [x]*.parquet")
    table = scan(tmp_path)
    assert table.frame.collect().equals(pl.concat([FRAME.head(3), FRAME.tail(2)]))


def test_csv_files_may_differ_in_how_their_numbers_look(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("n\n1\n")
    (tmp_path / "2.csv").write_text("n\n1.5\n")
    assert scan(tmp_path).frame.collect()["n"].to_list() == [1.0, 1.5]


def test_many_files_are_read_as_each_of_them_alone(tmp_path: Path) -> None:
    texts = (
        'a,b,c,d\n1,"x\ny",true,1.5\n,,false,2\n',
        'a,b,c,d\n3,"a ""b""",true,1e3\n4,,,-0.1',
        "a,b,c,d\r\n5,z,false,0.5\r\n",
    )
    files = [tmp_path / f"{number} [x]*.csv" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text.encode())
    together, alone = scan(tmp_path), [scan(file) for file in files]
    assert together.frame.collect().equals(pl.concat([table.frame for table in alone]).collect())
    assert together.raw.collect().equals(pl.concat([table.raw for table in alone]).collect())


def test_dates_and_columns_in_another_order_keep_their_values(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("d,n\n2026-01-31,1\n")
    (tmp_path / "2.csv").write_text("n,d\n2,2026-02-28\n")
    assert scan(tmp_path).frame.collect().rows() == [(date(2026, 1, 31), 1), (date(2026, 2, 28), 2)]
    assert scan(tmp_path).raw.collect().rows() == [("2026-01-31", "1"), ("2026-02-28", "2")]


def test_a_quoted_header_of_two_lines_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('"a\nb",c\n')
    with pytest.raises(DataError, match="no rows"):
        scan(path)


def test_every_difference_between_files_is_told(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1], "b": [1]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"a": ["x"], "c": [1]}).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(DataError) as caught:
        scan(tmp_path)
    assert [problem.field for problem in caught.value.problems] == ["a", "b", "c"]
    assert "no such column here, Int64 in 1.parquet" in caught.value.problems[1].what


def test_mixed_formats(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "1.parquet")
    FRAME.write_csv(tmp_path / "2.csv")
    with pytest.raises(DataError, match="one format"):
        scan(tmp_path)
