"""Samples on their way: a folder each, below `.gatewright/evalset/<data set>/`, whose files say how far it is.

sample.parquet   the rows drawn, with weight and stratum
sample.json      what they were drawn from
export/          what annotators get
labels/          where labelled files are looked for
answers.json     what was imported, and the version that it became
rescored.json    production on the new rows
check.json       what was checked of them
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.domain.documents import pretty_json, read_json
from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.domain.labelling import SampleFacts
from gatewright.effects.files import digest_file, read_bytes, write_atomic
from gatewright.store.codec import decode

if TYPE_CHECKING:
    import polars as pl

FOLDER = Path(".gatewright") / "evalset"
ANSWERS, RESCORED, CHECKED = "answers", "rescored", "check"
_LIMIT = 64 << 20


class SampleFolder:
    """One sample."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def export(self) -> Path:
        """Where the files for annotators are written."""
        return self.path / "export"

    @property
    def labels(self) -> Path:
        """Where labelled files are looked for."""
        return self.path / "labels"

    def write(self, facts: SampleFacts, rows: pl.DataFrame) -> None:
        """Write the rows, then what they are: a sample without sample.json is none."""
        write_atomic(self.path / "sample.parquet", parquet(rows))
        write_atomic(self.path / "sample.json", pretty_json(facts))

    def facts(self) -> SampleFacts:
        """What was drawn; UnusableInput when it is damaged."""
        from pydantic import ValidationError

        path = self.path / "sample.json"
        try:
            return decode(SampleFacts, read_bytes(path, _LIMIT))
        except ValidationError as error:
            raise UnusableInput(f"{path} is damaged", fix="draw the sample again: gatewright evalset sample") from error

    def rows(self) -> pl.DataFrame:
        """The rows drawn; DigestChanged when somebody has edited them."""
        import polars as pl

        path, recorded = self.path / "sample.parquet", self.facts().digest
        found = "sha256:" + digest_file(path)
        if found != recorded:
            raise DigestChanged(
                str(path), recorded=recorded, found=found, fix="draw the sample again: gatewright evalset sample"
            )
        return pl.read_parquet(path)

    def read(self, name: str) -> dict[str, Any] | None:
        """The document `name`, None when that step has not been done."""
        path = self.path / f"{name}.json"
        if not path.is_file():
            return None
        try:
            return read_json(read_bytes(path, _LIMIT))
        except ValueError as error:
            raise UnusableInput(f"{path} is damaged: {error}", fix="delete it: that step is then done again") from error

    def keep(self, name: str, document: Any) -> None:
        """Write the document `name`."""
        write_atomic(self.path / f"{name}.json", pretty_json(document))


class Samples:
    """All samples for one evaluation data set."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def at(self, name: str) -> SampleFolder:
        """The folder of the sample `name`, there or not."""
        return SampleFolder(self._folder / name)

    def all(self) -> tuple[SampleFolder, ...]:
        """Every sample, oldest first."""
        found = [SampleFolder(path.parent) for path in self._folder.glob("*/sample.json")]
        return tuple(sorted(found, key=lambda each: (each.facts().created_at, each.id)))

    def choose(self, name: str | None) -> SampleFolder:
        """The sample `name`, or the newest one; UnusableInput that lists the known ones."""
        known = self.all()
        chosen = known[-1:] if name is None else [each for each in known if each.id.startswith(name)]
        if len(chosen) == 1:
            return chosen[0]
        names = ", ".join(each.id for each in known[-5:])
        if name is None or not known:
            raise UnusableInput("no sample has been drawn yet", fix="draw one: gatewright evalset sample")
        raise UnusableInput(f"{name!r} names {len(chosen)} samples", fix=f"there are: {names}")

    def waiting(self) -> SampleFolder | None:
        """The newest sample whose labels have not been imported."""
        return next((each for each in reversed(self.all()) if each.read(ANSWERS) is None), None)


def parquet(rows: pl.DataFrame) -> bytes:
    """`rows` as the bytes of a parquet file."""
    buffer = BytesIO()
    rows.write_parquet(buffer)
    return buffer.getvalue()
