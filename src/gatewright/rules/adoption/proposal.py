"""Everything that `gatewright init` decided, as it goes into the files."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.domain.adoption import Gap, LabelFacts, ModelFormat, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The answers, seen or asked for. What could not be found is None, and a gap says so.

    `split` is the share of rows that becomes the evaluation set; `adds_id` says that evaluation rows get ids.
    """

    model: str
    target: Target = "none"
    branch: str | None = None
    command: tuple[str, ...] | None = None
    format: ModelFormat = "skops"
    lint: tuple[str, ...] = ()
    requirements: str | None = None
    install: tuple[tuple[str, ...], ...] = ()
    registry: str = "local"
    train_file: str | None = None
    evaluation_file: str | None = None
    split: float | None = None
    seed: int = 0
    label: str | None = None
    facts: LabelFacts | None = None
    id: str = "id"
    adds_id: bool = False
    slices: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def train_name(self) -> str:
        """The name of the data set for training."""
        return f"{self.model[:58]}-train"

    @property
    def evaluation_name(self) -> str:
        """The name of the data set for evaluation."""
        return f"{self.model[:58]}-eval"
