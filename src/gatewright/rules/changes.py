"""What is new in a version of a data set, in one word, and why that word."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gatewright.domain.lineage import DataVersion, RowCount
from gatewright.rules.schema_changes import ColumnChange, schema_changes

ChangeKind = Literal[
    "first", "none", "rewrite", "append", "content", "labels", "evaluation", "schema-compatible", "schema-breaking"
]
REWRITTEN = "the same rows in another layout: no value differs"
SAME_ROWS: tuple[ChangeKind, ...] = ("none", "rewrite")
_GROWS: tuple[ChangeKind, ...] = (*SAME_ROWS, "append")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChange:
    """The class of a change with its reason in words; counts of rows are None where they cannot be told."""

    kind: ChangeKind
    why: str
    rows_added: int | None = None
    rows_removed: int | None = None

    def recorded(self) -> dict[str, Any]:
        """As it stands in a pointer file."""
        counts = {"kind": self.kind, "rows_added": self.rows_added, "rows_removed": self.rows_removed}
        return counts if self.kind == "first" else {**counts, "why": self.why}


def told_by_pointers(parent: DataVersion | None, now: DataVersion, required: Collection[str] = ()) -> DataChange | None:
    """The change as far as pointer files alone can tell it; None when only the rows themselves can.

    `required` are the columns that the schema file wants in every row.
    """
    if parent is None:
        return DataChange(kind="first", why="there was no version before", rows_added=now.rows, rows_removed=0)
    if parent.digest == now.digest:
        return DataChange(kind="none", why="the same bytes", rows_added=0, rows_removed=0)
    if columns := _columns(parent, now, required):
        return _schema_change(columns, None)
    if parent.row_digest and now.row_digest and parent.row_digest.rows == now.row_digest.rows:
        return DataChange(kind="rewrite", why=REWRITTEN, rows_added=0, rows_removed=0)
    if set(parent.files) < set(now.files):
        more, added = len(now.files) - len(parent.files), now.rows - parent.rows
        found = f"the parent's files are all there, {more} new with {added:,} rows"
        return _of_role(now, DataChange(kind="append", why=found, rows_added=added, rows_removed=0))
    return None


def change(
    parent: DataVersion | None, now: DataVersion, counted: RowCount | None, required: Collection[str] = ()
) -> DataChange:
    """The class of `now` against `parent`.

    `counted` compares their rows (in the columns that both have); None when the parent's bytes are not here.
    """
    told = told_by_pointers(parent, now, required)
    if told is not None and parent is not None and told.kind.startswith("schema-"):
        return _schema_change(_columns(parent, now, required), counted)
    if told is not None or parent is None:
        return told or change(None, now, None)
    if counted is not None and not counted.added and not counted.removed:
        return DataChange(kind="rewrite", why=REWRITTEN, rows_added=0, rows_removed=0)
    if _relabelled(parent, now):
        rows = f"{counted.added:,} rows" if counted else "some rows"
        found = DataChange(kind="labels", why=f"only {now.labels} differs, in {rows}")
    elif counted is None:
        untold = "rows added and removed" if parent.row_digest and now.row_digest else "rewrite"
        return _of_role(now, DataChange(kind="content", why=f"the parent's bytes are not here, so {untold} could not "
                                        "be told"))  # fmt: skip
    elif not counted.removed:
        found = DataChange(kind="append", why=f"every row of the parent is there, {counted.added:,} are new")
    else:
        words = f"{counted.added:,} rows are new or changed, {counted.removed:,} of the parent's are gone"
        found = DataChange(kind="content", why=words)
    if counted is not None:
        found = replace(found, rows_added=counted.added, rows_removed=counted.removed)
    return _of_role(now, found)


def along(before: DataVersion, path: Sequence[DataVersion], required: Collection[str] = ()) -> DataChange:
    """The change from `before` to the last of `path`, each version of which is the parent of the next.

    Pointer files decide where they can; else the links of the path do, if they only add rows.
    """
    now = path[-1]
    if told := told_by_pointers(before, now, required):
        return told
    linked = path[0].parent == before.version
    if linked and len(path) == 1 and _is_told(now.change):
        return _of_role(now, _recorded(now.change))
    kinds = [str(version.change.get("kind")) for version in path]
    if linked and "append" in kinds and all(kind in _GROWS for kind in kinds):
        added = sum(int(version.change.get("rows_added") or 0) for version in path)
        why = f"{added:,} rows were added in {len(path)} versions"
        return _of_role(now, DataChange(kind="append", why=why, rows_added=added, rows_removed=0))
    why = f"rows differ; {len(path)} versions lie in between" if linked and len(path) > 1 else "rows differ"
    return _of_role(now, DataChange(kind="content", why=why))


def _is_told(recorded: Mapping[str, Any]) -> bool:
    """What a pointer file may say of itself without proof: never that nothing differs."""
    return recorded.get("kind") in ("append", "content", "labels", "evaluation")


def _recorded(recorded: Mapping[str, Any]) -> DataChange:
    return DataChange(
        kind=recorded["kind"],
        why=str(recorded.get("why") or "as its pointer file says"),
        rows_added=recorded.get("rows_added"),
        rows_removed=recorded.get("rows_removed"),
    )


def _of_role(now: DataVersion, found: DataChange) -> DataChange:
    """Other rows of an evaluation set judge models, and train none."""
    if now.role != "eval" or found.kind == "evaluation":
        return found
    return replace(found, kind="evaluation", why=f"{found.kind} of an evaluation set: {found.why}")


def _columns(parent: DataVersion, now: DataVersion, required: Collection[str]) -> tuple[ColumnChange, ...]:
    if parent.fingerprint == now.fingerprint:
        return ()
    return schema_changes(
        parent.schema, now.schema, label=now.labels, required=required, stats=(parent.stats, now.stats)
    )


def _schema_change(columns: tuple[ColumnChange, ...], counted: RowCount | None) -> DataChange:
    breaking = any(column.breaking for column in columns)
    why = "; ".join(column.words for column in columns)
    return DataChange(
        kind="schema-breaking" if breaking else "schema-compatible",
        why=why,
        rows_added=counted.added if counted else None,
        rows_removed=counted.removed if counted else None,
    )


def _relabelled(parent: DataVersion, now: DataVersion) -> bool:
    before, after = parent.row_digest, now.row_digest
    if before is None or after is None or parent.labels is None or parent.labels != now.labels:
        return False
    return before.unlabelled is not None and before.unlabelled == after.unlabelled
