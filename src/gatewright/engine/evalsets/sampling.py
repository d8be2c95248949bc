"""`evalset sample`: from traffic to a sample that waits for labels. The same arguments give the same sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewright.domain.documents import canonical_json, sha256, short
from gatewright.domain.labelling import DESIGN_COLUMNS, SampleFacts
from gatewright.engine.evalsets.traffic import Source, Traffic, schema_of, traffic
from gatewright.engine.evalsets.uncertainty import Asked, uncertainty
from gatewright.ports import Progress
from gatewright.rules.labelling.sampling import Design, Sample, check_design, sample
from gatewright.store.samples import SampleFolder, Samples, parquet
from gatewright.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for."""

    design: Design
    source: Source
    asked: Asked | None = None


def take_sample(
    workspace: Workspace, samples: Samples, request: Request, progress: Progress
) -> tuple[SampleFolder, SampleFacts, bool]:
    """The sample, what it was made from, and whether it is new. UnusableInput for what would bias it."""
    progress.waiting("reading the traffic")
    found = traffic(workspace, request.source)
    check_design(request.design, found.rows.height)
    unsure = None
    if request.design.allocation == "neyman":
        unsure = uncertainty(workspace, found.rows, request.asked, progress)
    drawn = sample(found.rows, request.design, unsure)
    drawn = replace(drawn, rows=_of_the_data(workspace, drawn.rows))
    facts = _facts(workspace, request, found, drawn)
    folder = samples.at(facts.id)
    if (folder.path / "sample.json").is_file():
        return folder, folder.facts(), False
    folder.write(facts, drawn.rows)
    return folder, facts, True


def _of_the_data(workspace: Workspace, rows: pl.DataFrame) -> pl.DataFrame:
    """The columns that evaluation data has by its schema file, and those of the sample; all without such a file."""
    schema = schema_of(workspace)
    if schema is None:
        return rows
    known = (*schema.columns, workspace.project.evaluation.id, *DESIGN_COLUMNS)
    return rows.select(name for name in rows.columns if name in known)


def _facts(workspace: Workspace, request: Request, found: Traffic, drawn: Sample) -> SampleFacts:
    project, design = workspace.project, request.design
    schema = schema_of(workspace)
    name = project.data.evaluation
    digest = sha256(parquet(drawn.rows))
    parent = workspace.data_versions.latest(name, "eval").version if workspace.data_versions.has(name) else None
    identity = short(sha256(canonical_json({"digest": digest, "design": design, "window": found.window_to})))[:8]
    return SampleFacts(
        id=f"{found.window_to:%Y-%m-%d}-{identity}",
        dataset=name,
        model=project.model,
        source=found.told,
        window_from=found.window_from,
        window_to=found.window_to,
        traffic_rows=found.rows.height,
        rows=drawn.rows.height,
        allocation=design.allocation,
        random_share=design.random_share,
        seed=design.seed,
        columns=design.columns,
        strata=drawn.strata,
        id_column=project.evaluation.id,
        label=project.evaluation.label,
        digest=digest,
        created_at=workspace.clock.now().replace(microsecond=0),
        personal=tuple(column for column, told in schema.columns.items() if told.personal) if schema else (),
        parent=parent,
    )
