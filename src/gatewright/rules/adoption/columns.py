"""Which column is the label, which one identifies a row, and which ones make groups?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from gatewright.domain.adoption import DataTable, Guess, LabelFacts, TableColumn
from gatewright.stats.power import rows_needed

FEW_CLASSES = 50
_MOST_SLICES = 4
_DISCORDANT, _MARGIN = 0.1, 0.02
_CERTAIN = re.compile(r"^(label|labels|target|y|class|outcome|response)$")
_LIKELY = re.compile(
    r"^(fraud|churn(ed)?|default(ed)?|survived|converted|employed|income|approved|clicked|bought|diagnosis|species|"
    r"quality|price|rating|score)$|^(is|has|will|did)_|_(label|target|class|flag)$|^(label|target)_"
)
_IDS = re.compile(r"(^|_)(id|uuid|guid|key)$")
_IN_CODE = (
    re.compile(r"""\b(?:LABEL|TARGET)\w*\s*(?::\s*\w+\s*)?=\s*["']([^"'\n]{1,80})["']""", re.IGNORECASE),
    re.compile(r"""\by\w*\s*=\s*\w+(?:\.loc)?\[\s*["']([^"'\n]{1,80})["']\s*\]"""),
    re.compile(r"""\.pop\(\s*["']([^"'\n]{1,80})["']"""),
    re.compile(r"""\.drop\(\s*(?:columns\s*=\s*)?\[?\s*["']([^"'\n]{1,80})["']"""),
)


def label_column(table: DataTable, code: str) -> Guess | None:
    """The column that the code calls its label, else one with the name of a label, else the last with few values."""
    names = {column.name: column for column in table.columns}
    for pattern in _IN_CODE:
        for word in pattern.findall(code):
            if word in names:
                return Guess(value=word, why="the training script uses it as the label", sure=True)
    usable = [column for column in table.columns if _may_be_label(column, table)]
    for column in usable:
        if _CERTAIN.search(column.name.lower()):
            return Guess(value=column.name, why=f"its name{_of(column)}", sure=True)
    likely = [column for column in usable if _LIKELY.search(column.name.lower())]
    few = [column for column in usable if 2 <= column.distinct <= FEW_CLASSES and column.kind in ("int", "bool")]
    if likely:
        chosen = min(likely, key=lambda column: column.distinct > FEW_CLASSES)
        return Guess(value=chosen.name, why=f"its name{_of(chosen)}")
    return Guess(value=few[-1].name, why=f"the last column with few values{_of(few[-1])}") if few else None


def id_column(table: DataTable, label: str) -> Guess | None:
    """The column with another value in every row whose name says so; None when there is none."""
    unique = [
        column
        for column in table.columns
        if column.name != label
        and not column.nulls
        and column.distinct == table.rows
        and column.kind in ("int", "string")
    ]
    named = [column for column in unique if _IDS.search(column.name.lower())]
    if not named:
        return None
    return Guess(value=named[0].name, why=f"another value in each of {table.rows:,} rows", sure=True)


def attributes(table: DataTable, label: str) -> tuple[Guess, ...]:
    """Columns of groups that must not be treated worse, by their names."""
    found = (column for column in _groups(table, label) if column.sensitive)
    return tuple(Guess(value=column.name, why=f"its name sounds sensitive{_of(column)}") for column in found)


def slice_columns(table: DataTable, label: str) -> tuple[Guess, ...]:
    """Columns of few values, sensitive ones first, and at most four."""
    groups = sorted(_groups(table, label), key=lambda column: not column.sensitive)
    return tuple(Guess(value=column.name, why=_of(column).strip(" ()")) for column in groups[:_MOST_SLICES])


def label_gap(column: TableColumn) -> str | None:
    """Why this column cannot be a label as it is."""
    if column.nulls:
        return f"{column.nulls:,} rows have no {column.name}"
    if column.kind == "string":
        return f"{column.name} holds text; models answer integers (classes) or numbers"
    if column.kind not in ("int", "bool", "float"):
        return f"{column.name} is of type {column.kind}; models answer integers (classes) or numbers"
    if column.distinct < 2:
        return f"{column.name} has one value in all rows"
    return None


def rows_gap(rows: int, facts: LabelFacts) -> str | None:
    """Why so few evaluation rows will often leave the overall gate without a decision."""
    if facts.task == "regression":
        return None
    needed = int(rows_needed(_DISCORDANT, _MARGIN, alpha=0.05))
    if rows >= needed:
        return None
    what = f"the evaluation set has {rows:,} rows: the overall gate will often be inconclusive"
    return f"{what}; of two models that differ on a tenth of the rows about {needed:,} decide"


def floor_text(facts: LabelFacts) -> tuple[str, str]:
    """The absolute floor of the first deployment and its reason: better than a model that learned nothing."""
    if facts.task == "regression":
        ceiling = float(f"{facts.floor:.3g}")
        return f"max: {ceiling:g}", f"always answering the mean has an RMSE of {facts.floor:.4g}"
    lowest = min(math.floor(facts.floor * 100 + 1) / 100, 0.99)
    return f"min: {lowest:g}", f"always answering the commonest class scores {facts.floor:.4f}"


def _may_be_label(column: TableColumn, table: DataTable) -> bool:
    if column.personal or column.distinct < 2 or _IDS.search(column.name.lower()):
        return False
    return column.kind in ("int", "bool", "float", "string") and not (
        column.kind in ("int", "string") and column.distinct == table.rows
    )


def _groups(table: DataTable, label: str) -> Iterator[TableColumn]:
    """Columns whose every value is frequent."""
    for column in table.columns:
        if column.name != label and column.values and not column.personal and not _IDS.search(column.name.lower()):
            yield column


def _of(column: TableColumn) -> str:
    shown = ", ".join(map(str, column.values[:4]))
    more = ", …" if len(column.values) > 4 else ""
    return f" ({shown}{more})" if column.values else f" ({column.distinct:,} values)"
