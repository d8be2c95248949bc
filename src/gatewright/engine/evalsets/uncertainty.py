"""How unsure the serving model is of rows that nobody has labelled: it is asked, in a process of its own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.domain.documents import read_json, sha256
from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import Artifact
from gatewright.domain.project import FairnessSection
from gatewright.effects.files import read_bytes, write_atomic
from gatewright.engine.proofs import proven_version
from gatewright.engine.scoring import PREDICTIONS, score
from gatewright.ports import Progress
from gatewright.rules.labelling.sampling import checked_uncertainty
from gatewright.store.samples import parquet
from gatewright.workspace import STATE, Workspace

if TYPE_CHECKING:
    import polars as pl

_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The column that says it, and whether it is the probability of the positive class rather than that of an error."""

    column: str
    probability: bool


def uncertainty(workspace: Workspace, rows: pl.DataFrame, asked: Asked | None, progress: Progress) -> pl.Series:
    """The chance of being wrong on each row (rows,): from a column, or from production's probabilities.

    UnusableInput when no model serves, or one that does not answer probabilities of two classes.
    """
    if asked is not None:
        if asked.column not in rows.columns:
            raise UnusableInput(
                f"the traffic has no column {asked.column}", fix=f"there are: {', '.join(rows.columns[:30])}"
            )
        return checked_uncertainty(rows[asked.column], probability=asked.probability)
    artifact = production(workspace)
    progress.waiting(f"asking production about {rows.height:,} rows")
    label = _any_class(artifact)
    plain = without_design(workspace)
    with scratch(workspace.root / STATE) as folder:
        data = folder / "traffic.parquet"
        import polars as pl

        content = parquet(rows.with_columns(pl.lit(label).alias(workspace.project.evaluation.label)))
        write_atomic(data, content)
        score(plain, folder, {"candidate": artifact}, sha256(content), data, progress)
        answers = pl.read_parquet(folder / PREDICTIONS / "predictions.parquet")
    if "candidate_score" not in answers.columns:
        raise UnusableInput(
            "production answers no probabilities, so nobody knows how unsure it is",
            fix="name a column that says it (--uncertainty COLUMN), or write --allocation proportional",
        )
    return checked_uncertainty(answers["candidate_score"], probability=True)


def production(workspace: Workspace) -> Artifact:
    """The bytes of the version that serves now, proven; UnusableInput before there is one."""
    serving = workspace.registry.serving(workspace.project.model)
    if serving is None:
        raise UnusableInput(
            f"{workspace.project.model} has no version in production yet",
            fix="let one serve first: gatewright run --bootstrap-by NAME",
        )
    return proven_version(workspace, "production", serving)


def without_design(workspace: Workspace) -> Workspace:
    """The same workspace for rows of which only answers are wanted: no slices, groups, weights or gates."""
    project = workspace.project
    evaluation = replace(
        project.evaluation, slices=(), metric=None, metrics=(), cluster=None, weight=None, stratum=None
    )
    fairness = FairnessSection(positive=project.fairness.positive)
    return replace(workspace, project=replace(project, evaluation=evaluation, fairness=fairness, gates=None))


@contextmanager
def scratch(state: Path) -> Iterator[Path]:
    """A folder that is gone in the end."""
    folder = state / f"evalset-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _any_class(artifact: Artifact) -> Any:
    """A label that the model knows: it is asked what it answers, and nobody compares."""
    signature = read_json(read_bytes(Path(artifact.uri) / "signature.json", _LIMIT))
    classes = signature.get("classes")
    if signature.get("task") != "binary" or not classes:
        raise UnusableInput(
            f"production is a {signature.get('task')} model: how unsure it is, is known of two classes only",
            fix="name a column that says it (--uncertainty COLUMN), or write --allocation proportional",
        )
    return classes[0]
