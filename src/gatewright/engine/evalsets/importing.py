"""`evalset import`: labelled files → an immutable data version of role eval, with its lineage. Idempotent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatewright.domain.documents import plain
from gatewright.domain.errors import DataError, Place, Problem, UnusableInput
from gatewright.domain.labelling import STRATUM, WEIGHT, Agreement, Answer, SampleFacts
from gatewright.effects.files import read_bytes, write_atomic
from gatewright.engine.evalsets.traffic import schema_of
from gatewright.engine.intake import Addition, add_version
from gatewright.rules.labelling.answers import answers
from gatewright.rules.labelling.resolution import MAJORITY, Resolved, resolved
from gatewright.rules.labelling.sampling import reweighted
from gatewright.store.samples import ANSWERS, SampleFolder, parquet
from gatewright.workspace import STATE, Workspace

if TYPE_CHECKING:
    import polars as pl

    from gatewright.domain.lineage import DataVersion

_LIMIT = 1 << 30
_TOLD = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How labels are taken over: who decides, what missing ones mean, and who brings them."""

    resolve: str = MAJORITY
    missing: Literal["refuse", "reweight"] = "refuse"
    created_by: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The new version, whether it is new, and what the labels are worth."""

    version: DataVersion
    new: bool
    agreement: Agreement
    disputed: int
    missing: int


def import_labels(workspace: Workspace, folder: SampleFolder, files: Sequence[Path], terms: Terms) -> Imported:
    """Take over the labels in `files`. DataError with every problem at once; the same files again change nothing."""
    facts, rows = folder.facts(), folder.rows()
    schema = schema_of(workspace)
    column = schema.columns.get(facts.label) if schema else None
    found, problems = _read(workspace.root, files, facts)
    ids = [str(value) for value in rows[facts.id_column].to_list()]
    result = resolved(found, ids, column, resolve=terms.resolve)
    problems += result.problems
    if result.missing and terms.missing == "refuse":
        problems += _without(result, files)
    if problems:
        raise _refused(problems)
    table = _labelled(rows, ids, result, facts)
    if result.missing:
        table = reweighted(table, facts.strata)
    version, new = _add(workspace, folder, facts, table, result, terms)
    imported = Imported(
        version=version, new=new, agreement=result.agreement, disputed=result.disputed, missing=len(result.missing)
    )
    folder.keep(ANSWERS, _document(imported, files))
    return imported


def _read(root: Path, files: Sequence[Path], facts: SampleFacts) -> tuple[list[Answer], list[Problem]]:
    found: list[Answer] = []
    problems: list[Problem] = []
    for path in files:
        shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        try:
            text = read_bytes(path, _LIMIT).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            what = f"is not UTF-8 text: {error.reason} at byte {error.start}"
            problems.append(Problem(where=Place(file=shown), field="", what=what))
            continue
        for each in answers(text, shown, id=facts.id_column, label=facts.label):
            (problems if isinstance(each, Problem) else found).append(each)  # type: ignore[arg-type]
    return found, problems


def _without(result: Resolved, files: Sequence[Path]) -> list[Problem]:
    examples = ", ".join(result.missing[:5])
    what = f"{len(result.missing):,} rows have no label, for example {examples}"
    what += "; label them, or --missing reweight lets the others of their stratum stand for them"
    return [Problem(where=Place(file=files[0].name if files else "labels"), field="", what=what)]


def _refused(problems: Sequence[Problem]) -> DataError:
    more = len(problems) - _TOLD
    told = list(problems[:_TOLD])
    if more > 0:
        told.append(Problem(where=told[-1].where, field="", what=f"… and {more:,} more problems"))
    number = f"{len(problems):,} problem{'s' if len(problems) != 1 else ''}"
    return DataError(
        f"the labels cannot be taken over: {number}", tuple(told), fix="mend the files and import them again"
    )


def _labelled(rows: pl.DataFrame, ids: Sequence[str], result: Resolved, facts: SampleFacts) -> pl.DataFrame:
    import polars as pl

    labels = [result.labels.get(name) for name in ids]
    table = rows.with_columns(pl.Series(facts.label, labels)).drop_nulls(facts.label)
    # The design stands behind the data's own columns.
    order = [name for name in table.columns if name not in (WEIGHT, STRATUM, "random")]
    return table.select(*order, WEIGHT, STRATUM, "random")


def _add(
    workspace: Workspace, folder: SampleFolder, facts: SampleFacts, table: pl.DataFrame, result: Resolved, terms: Terms
) -> tuple[DataVersion, bool]:
    schema = schema_of(workspace)
    if schema is not None and facts.label in schema.columns:
        import polars as pl

        from gatewright.rules.types import as_type

        declared = schema.columns[facts.label].type
        if declared not in ("string", "bool"):
            table = table.with_columns(as_type(pl.col(facts.label).cast(pl.String), declared))
    uri = f"data/evalset/{facts.dataset}/{facts.id}.parquet"
    content = parquet(table)
    path = workspace.root / uri
    if path.is_file() and path.read_bytes() != content:
        raise UnusableInput(
            f"{uri} is there with other labels", fix="a version is never overwritten: draw a new sample for new labels"
        )
    write_atomic(path, content)
    addition = Addition(
        name=facts.dataset,
        kind="file",
        uri=uri,
        role="eval",
        created_by=terms.created_by,
        label=facts.label,
        data_from=facts.window_from,
        data_to=facts.window_to,
        lineage=_lineage(facts, result, terms),
    )
    return add_version(
        addition,
        source=workspace.sources["file"],
        versions=workspace.data_versions,
        schema=schema,
        scratch=workspace.root / STATE,
        now=workspace.clock.now().replace(microsecond=0),
    )


def _lineage(facts: SampleFacts, result: Resolved, terms: Terms) -> dict[str, Any]:
    agreed = {name: round(value, 4) for name, value in plain(result.agreement).items() if isinstance(value, float)}
    return {
        "sample": facts.id,
        "sampling": "stratified",
        "allocation": facts.allocation,
        "random_share": facts.random_share,
        "seed": facts.seed,
        "source": facts.source,
        "window_from": facts.window_from.isoformat(),
        "window_to": facts.window_to.isoformat(),
        "traffic_rows": facts.traffic_rows,
        "weight": WEIGHT,
        "stratum": STRATUM,
        "strata": {each.name: [each.traffic, each.sampled] for each in facts.strata},
        "parent_evaluation": facts.parent or "none",
        "annotators": ", ".join(result.agreement.annotators),
        "agreement": {"rows": result.agreement.rows, **agreed},
        "disputed": result.disputed,
        "resolve": terms.resolve,
        "missing": len(result.missing),
    }


def _document(imported: Imported, files: Sequence[Path]) -> dict[str, Any]:
    version = imported.version
    return {
        "version": {"name": version.name, "version": version.version, "digest": version.digest, "rows": version.rows},
        "files": sorted(path.name for path in files),
        "agreement": plain(imported.agreement),
        "disputed": imported.disputed,
        "missing": imported.missing,
    }
