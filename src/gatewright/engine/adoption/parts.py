"""Files of rows that have to be made: an evaluation set apart from the training data, and ids for its rows."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gatewright.domain.errors import UnusableInput
from gatewright.effects.files import safe_join
from gatewright.rules.adoption.proposal import Proposal

if TYPE_CHECKING:
    import polars as pl

_LARGEST = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file to write: where, its bytes, how many rows, and a sentence about it."""

    path: str
    data: bytes
    rows: int
    what: str


def parts_of(root: Path, proposal: Proposal) -> tuple[Part, ...]:
    """The files that the proposal makes: two for a split, one for ids; UnusableInput above 2 GiB."""
    if proposal.split is not None and proposal.train_file is not None:
        return _split(root, proposal, proposal.train_file, proposal.split)
    if proposal.adds_id and proposal.evaluation_file is not None:
        return (_with_ids(root, proposal, proposal.evaluation_file),)
    return ()


def after_parts(proposal: Proposal) -> tuple[str | None, str | None]:
    """The files of training and evaluation data, once the parts are written."""
    if proposal.split is not None and proposal.train_file is not None:
        return _beside(proposal.train_file, "train"), _beside(proposal.train_file, "eval")
    if proposal.adds_id and proposal.evaluation_file is not None:
        return proposal.train_file, _beside(proposal.evaluation_file, "with-id")
    return proposal.train_file, proposal.evaluation_file


def _split(root: Path, proposal: Proposal, path: str, share: float) -> tuple[Part, Part]:
    import polars as pl

    from gatewright.rules.adoption.splitting import chosen_rows

    table, hashes, typed = _read(root, path, proposal.id)
    facts = proposal.facts
    strata = typed[proposal.label] if proposal.label and facts is not None and facts.classes else None
    chosen = chosen_rows(hashes, strata, share=share, seed=proposal.seed)
    train, evaluation = table.filter(~chosen), table.filter(chosen)
    if not train.height or not evaluation.height:
        raise UnusableInput(
            f"{path} has {table.height:,} rows: too few to set an evaluation set apart",
            fix="name another file: --eval-data PATH",
        )
    if proposal.adds_id:
        evaluation = _identified(evaluation, hashes.filter(chosen), proposal.id)
    how = f"by the hash of each row, seed {proposal.seed}"
    how += f", {share:.0%} of each {proposal.label}" if isinstance(strata, pl.Series) else f", {share:.0%}"
    return (
        _part(_beside(path, "train"), train, f"{train.height:,} of {table.height:,} rows of {path}, {how}"),
        _part(_beside(path, "eval"), evaluation, f"the other {evaluation.height:,} rows, never trained on"),
    )


def _with_ids(root: Path, proposal: Proposal, path: str) -> Part:
    table, hashes, _ = _read(root, path, proposal.id)
    made = _identified(table, hashes, proposal.id)
    return _part(_beside(path, "with-id"), made, f"the {table.height:,} rows of {path}, each with an id")


def _read(root: Path, path: str, id: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The rows as the file has them (CSV: texts), their hashes without the id, and the rows with types."""
    from gatewright.effects.tables import reading, scan
    from gatewright.rules.row_digest import row_hashes

    place = safe_join(root, path)
    if place.is_file() and place.stat().st_size > _LARGEST:
        raise UnusableInput(
            f"{path} is larger than 2 GiB: it is not split here",
            fix="split it yourself, and name both: --train-data PATH --eval-data PATH",
        )
    scanned = scan(place)
    with reading(place):
        names = [name for name in scanned.frame.collect_schema().names() if name != id]
        return scanned.raw.collect(), row_hashes(scanned.frame, names), scanned.frame.collect()


def _identified(table: pl.DataFrame, hashes: pl.DataFrame, id: str) -> pl.DataFrame:
    from gatewright.rules.adoption.splitting import row_ids

    return table.with_columns(row_ids(hashes).alias(id))


def _part(path: str, table: pl.DataFrame, what: str) -> Part:
    buffer = BytesIO()
    if path.endswith(".csv"):
        table.write_csv(buffer)
    else:
        table.write_parquet(buffer)
    return Part(path=path, data=buffer.getvalue(), rows=table.height, what=what)


def _beside(path: str, word: str) -> str:
    place = PurePosixPath(path)
    suffix = ".csv" if place.suffix.lower() == ".csv" else ".parquet"
    return (place.parent / f"{place.stem or place.name}-{word}{suffix}").as_posix()
