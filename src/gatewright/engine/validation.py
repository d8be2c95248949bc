"""One data version, or one file, against the schema file: which reference counts, and the report that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.domain.documents import plain
from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import DataVersion
from gatewright.rules.evalset import design_columns
from gatewright.rules.schema import Drift, Schema
from gatewright.store.data_versions import DataVersions

if TYPE_CHECKING:
    from gatewright.rules.data import DataJudgement
    from gatewright.rules.data_reference import ColumnDrift, Reference

FORM = "gatewright/data-validation/1"
_OF_ALL = ("reference", "traffic")
"""Roles of references for data of every role."""


def reference_for(
    versions: DataVersions, schema: Schema, version: DataVersion | None, given: str | None = None
) -> Reference | None:
    """What drift is measured from: `given`, else what the schema file says; None when neither says anything.

    A reference that cannot be fair to this version is returned with the reason why nothing is measured. UnusableInput
    for one that is not there.
    """
    from gatewright.rules.data_reference import Reference

    drift = schema.drift
    if given is not None:
        drift = replace(drift, reference=given) if drift else Drift(reference=given)
    if drift is None:
        return None
    found = _named(versions, drift.reference, version)
    if found is None:
        why = f"there is no version of {drift.reference} before this one"
        return Reference(called=drift.reference, digest="", rows=0, stats={}, drift=drift, unjudged=why)
    unjudged = _unfair(found, version) if given is None else None
    return Reference(
        called=f"{found.name} {found.version}",
        digest=found.digest,
        rows=found.rows,
        stats=found.stats,
        drift=drift,
        unjudged=unjudged,
    )


def judge_version(
    versions: DataVersions,
    schema: Schema,
    version: DataVersion | None,
    path: Path,
    *,
    label: str | None,
    reference: Reference | None,
) -> DataJudgement:
    """The table at `path`, the bytes of `version` if it is one, against the schema file and the reference."""
    from gatewright.effects.tables import reading, scan
    from gatewright.rules.data import judge_data

    table, parent = scan(path), None
    frame = table.raw
    if version is not None:
        own = [name for name in design_columns(version) if name in version.schema and name not in schema.columns]
        frame = frame.drop(own)
        parent = versions.get(version.name, version.parent) if version.parent else None
    with reading(path):
        return judge_data(
            schema,
            frame,
            typed=table.typed,
            label=label,
            parent_rows=parent.rows if parent else None,
            reference=reference,
        )


def validation_document(judged: DataJudgement, version: DataVersion | None, path: str = "") -> dict[str, Any]:
    """The report as JSON: what was judged, and all that was found. No value of a personal column is in it."""
    data: dict[str, Any] = {"path": path}
    if version is not None:
        data = {"name": version.name, "version": version.version, "role": version.role, "digest": version.digest}
    return {"form": FORM, "data": data, "status": judged.status, **plain(judged)}


def cautions(judged: DataJudgement) -> Iterator[str]:
    """What does not fail, and should be known: drift between the limits, and all that could not be judged."""
    for name, why in judged.unjudged.items():
        if isinstance(why, str):
            yield f"rule {name!r} was NOT judged: {why}"
        else:
            yield f"rule {name!r} has no answer for {why:,} of {judged.rows:,} rows: a value in it is null"
    drift = judged.drift
    if drift is None:
        return
    if drift.why:
        yield f"drift from {drift.reference} was NOT judged: {drift.why}"
    yield from (drift_words(column, drift.reference) for column in drift.columns if column.status == "warn")


def drift_words(column: ColumnDrift, reference: str) -> str:
    """How far a column moved, in one line."""
    limits = column.limits
    told = f"PSI {column.psi:.3f}" if column.psi is not None else "no PSI"
    allowed = f" (warns at {limits.warn:g}, fails at {limits.fail:g})" if limits else ""
    new = f"; {column.new:,} rows have values that it does not know" if column.new else ""
    return f"{column.name}: drift from {reference}: {told}{allowed}{new}"


def _named(versions: DataVersions, text: str, version: DataVersion | None) -> DataVersion | None:
    if version is None or "@" in text or text.endswith(".yaml") or text != version.name:
        return versions.named(text)
    age = (version.data_to, version.created_at)
    earlier = [
        each
        for each in versions.all(text)
        if each.role == version.role and each.version != version.version and (each.data_to, each.created_at) <= age
    ]
    return earlier[-1] if earlier else None


def _unfair(found: DataVersion, version: DataVersion | None) -> str | None:
    """Why a version must not be measured from `found`."""
    if version is None:
        return None
    if (found.name, found.version) == (version.name, version.version):
        return "it is this version itself"
    if found.role != version.role and found.role not in _OF_ALL:
        return f"it is {found.role} data, this is {version.role} data"
    if "weight" in version.lineage:
        return "the rows were drawn with weights, so their shares are not those of the population"
    return None


def known_version(versions: DataVersions, name: str, version: str | None) -> DataVersion:
    """VERSION of the set NAME, or what NAME, NAME@VERSION or NAME@ALIAS means; UnusableInput with the known ones."""
    if version is not None and "@" in name:
        raise UnusableInput(f"{name} names a version already", fix=f"leave out {version}")
    return versions.get(name, version) if version is not None else versions.named(name)
