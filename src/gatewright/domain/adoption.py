"""What a repository shows before Gatewright is in it, and what is guessed from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Target = Literal["github", "gitlab", "jenkins", "none"]
ModelFormat = Literal["skops", "onnx"]
Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The files of a folder: path → bytes, and the text of those that are code or settings.

    `ci_files` are those of CI systems, by their path from the top of the checkout, which may lie above. `remote` is the
    address of `origin`, `branch` its default branch; both None outside of git. `truncated` says that there were more
    files than were looked at.
    """

    name: str
    files: Mapping[str, int]
    ci_files: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    is_git: bool = False
    remote: str | None = None
    branch: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A value and why it was taken; `sure` when the repository says so itself, so that nobody need be asked."""

    value: str
    why: str
    sure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that a run needs and the repository does not have: what is missing, and what to do."""

    what: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """One column of a data file: its family of types, how many values are empty and how many differ.

    `values` are all of them where they are few and frequent; `sensitive` and `personal` go by the name.
    """

    name: str
    kind: str
    nulls: int = 0
    distinct: int = 0
    values: tuple[Any, ...] = ()
    sensitive: bool = False
    personal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable:
    """A data file as far as it was looked at."""

    path: str
    rows: int
    columns: tuple[TableColumn, ...]

    def column(self, name: str) -> TableColumn | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFacts:
    """What the label holds: the task it makes, its classes, and what a model that learned nothing would score.

    `floor` is the share of the commonest class, or the standard deviation (the RMSE of always answering the mean).
    """

    task: Task
    classes: tuple[int, ...] = ()
    floor: float
