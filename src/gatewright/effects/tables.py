"""Tables in files: parquet and CSV as lazy frames, with one clear error for a file that is not what it says."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.domain.errors import DataError, Place, Problem
from gatewright.effects.standing import FORMATS

if TYPE_CHECKING:
    import polars as pl

_CHUNK = 1 << 20
_HEADER_LIMIT = 1 << 20
_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table from one or several files of the same format.

    `frame` has types; `raw` is what the files themselves say: the same for parquet, text only for CSV (`typed` False).
    """

    frame: pl.LazyFrame
    raw: pl.LazyFrame
    typed: bool


def scan(path: Path) -> Table:
    """The table in a file, or in all files of a folder; DataError for what cannot be read, or holds no rows.

    Nothing but headers, footers and the encoding of CSV files is looked at here; collect inside `reading(path)`.
    """

    files = _table_files(path)
    readers = {".parquet": _scan_parquet, ".csv": _scan_csv}
    scanned = [readers[file.suffix.lower()](file) for file in files]
    _refuse_differences(files, [table.raw for table in scanned])
    raw = _joined(files, [table.raw for table in scanned], text=not scanned[0].typed)
    if scanned[0].typed:
        return Table(frame=raw, raw=raw, typed=True)
    return Table(frame=_joined(files, [table.frame for table in scanned]), raw=raw, typed=False)


def _joined(files: Sequence[Path], frames: Sequence[pl.LazyFrame], *, text: bool = False) -> pl.LazyFrame:
    """One table below the other; `text`: CSV read without types."""
    import polars as pl

    if len(frames) == 1:
        return frames[0]
    schema = frames[0].collect_schema()
    # One reader of many files costs a part of what many readers cost, but takes columns by their place, and no dates.
    if all(list(frame.collect_schema().items()) == list(schema.items()) for frame in frames[1:]):
        if files[0].suffix.lower() == ".parquet":
            return pl.scan_parquet(list(files), glob=False, hive_partitioning=False)
        if text or set(schema.dtypes()) <= {pl.Int64(), pl.Float64(), pl.String(), pl.Boolean()}:
            return pl.scan_csv(list(files), glob=False, schema=schema)
    # Only CSV needs `relaxed`: whole numbers in one file, fractions in the next.
    names = schema.names()
    return pl.concat([frame.select(names) for frame in frames], how="vertical_relaxed")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell polars' own errors about the bytes of `path` as DataError."""
    import polars.exceptions

    try:
        yield
    except (polars.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise unreadable(path, f"cannot be read: {first}") from error


def unreadable(path: Path, what: str, line: int | None = None) -> DataError:
    """The error for a data file that cannot be used."""
    return DataError(
        f"{path.name} is not usable data",
        (Problem(where=Place(file=str(path), line=line), field="", what=what),),
        fix="write the file again: parquet, or CSV in UTF-8 with a header line",
    )


def _table_files(path: Path) -> list[Path]:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        raise unreadable(path, "there is no file")
    for file in files:
        if file.suffix.lower() not in FORMATS:
            raise unreadable(file, f"data files end in {' or '.join(FORMATS)}")
        if file.suffix.lower() != files[0].suffix.lower():
            raise unreadable(file, f"one data version holds one format, and {files[0].name} is of another")
        if file.stat().st_size == 0:
            raise unreadable(file, "the file is empty")
    return files


def _scan_parquet(path: Path) -> Table:
    import polars as pl

    with reading(path):
        frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        frame.collect_schema()
        rows = int(frame.select(pl.len()).collect().item())
    if not rows:
        raise unreadable(path, "there are columns, but no rows")
    return Table(frame=frame, raw=frame, typed=True)


def _scan_csv(path: Path) -> Table:
    import polars as pl

    _check_encoding(path)
    _check_header(path)
    with reading(path):
        raw = pl.scan_csv(path, glob=False, infer_schema=False)
        if not _has_second_line(path) and raw.head(1).collect().is_empty():
            raise unreadable(path, "there is a header, but no rows", line=1)
        frame = pl.scan_csv(path, glob=False, infer_schema_length=None, try_parse_dates=True)
        frame.collect_schema()
    return Table(frame=frame, raw=raw, typed=False)


def _check_encoding(path: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        if name := _MARKS.get(file.read(2)):
            raise unreadable(path, f"the file is {name}, not UTF-8", line=1)
        file.seek(0)
        while chunk := file.read(_CHUNK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line += error.object.count(b"\n", 0, error.start)
                raise unreadable(path, f"byte {error.object[error.start]:#04x} is not UTF-8", line=line) from error
            if b"\0" in chunk:
                line += chunk.count(b"\n", 0, chunk.index(b"\0"))
                raise unreadable(path, "a NUL byte: this is no text", line=line)
            line += chunk.count(b"\n")
    if decoder.getstate()[0]:
        raise unreadable(path, "the last character is cut off", line=line)


def _check_header(path: Path) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader([file.readline(_HEADER_LIMIT)]), [])
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise unreadable(path, f"the column {twice[0]!r} stands twice in the header", line=1)
    if not all(name.strip() for name in header):
        raise unreadable(path, "a column has no name in the header", line=1)


def _has_second_line(path: Path) -> bool:
    """Whether a second line shows that there is a row; a quoted header may have several lines."""
    with path.open("rb") as file:
        return b'"' not in file.readline(_HEADER_LIMIT) and bool(file.readline(_HEADER_LIMIT).strip())


def _refuse_differences(files: Sequence[Path], frames: Sequence[pl.LazyFrame]) -> None:
    first = frames[0].collect_schema()
    problems = []
    for file, frame in zip(files[1:], frames[1:], strict=True):
        other = frame.collect_schema()
        for name in sorted(first.keys() | other.keys()):
            here, there = other.get(name), first.get(name)
            if here != there:
                what = f"{here or 'no such column'} here, {there or 'no such column'} in {files[0].name}"
                problems.append(Problem(where=Place(file=str(file)), field=name, what=what))
    if problems:
        raise DataError(
            "the files of one data version have different columns",
            tuple(problems),
            fix="write all files with the same columns and types",
        )
