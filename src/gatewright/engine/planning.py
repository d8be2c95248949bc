"""The plan of a run opened now: what it would work on, what differs from the last promoted run, what stands in."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from gatewright.domain.documents import canonical_json, plain, sha256
from gatewright.domain.errors import GatewrightError, SchemaBlocked, UnusableInput
from gatewright.domain.lineage import Candidate, DataVersion
from gatewright.domain.project import Project
from gatewright.domain.records import NOW_SERVES, DeploymentRecord
from gatewright.effects.code import code_digest
from gatewright.effects.files import digest_file, safe_join
from gatewright.effects.git import commit
from gatewright.effects.tools import tools_digest
from gatewright.engine.choosing import Chosen, latest_data
from gatewright.rules.changes import DataChange, along
from gatewright.rules.data_diff import way
from gatewright.rules.plan import Plan, Reference, Trained, make_plan
from gatewright.rules.schema import Schema, required_columns
from gatewright.rules.trigger import READS, Inputs, differing
from gatewright.store.aliases import FILE as ALIASES
from gatewright.store.codec import decode
from gatewright.store.records import Records
from gatewright.store.runs import CANDIDATE, LOCK, VERDICT, RunFolder
from gatewright.store.schema_files import read_schema
from gatewright.workspace import CONFIG, Workspace

COMPARED_WITH = (*NOW_SERVES, "confirmed", "skipped")
"""Kinds of records whose inputs are known to be served by what serves now."""
_STANDS = (None, "promoted", "confirmed", "aborted")
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The plan, and what it was made from."""

    plan: Plan
    inputs: Inputs
    train: DataVersion
    evaluation: DataVersion
    reference: DeploymentRecord | None


def plan_run(workspace: Workspace, *, accepted_by: str | None = None, data: Chosen | None = None) -> Planned:
    """What a run opened now would do; nothing is changed. UnusableInput without data versions.

    `data` are the versions to work on; the latest ones unless they are said.
    """
    inputs, train, evaluation = current_inputs(workspace, data)
    record = reference_record(workspace.records, workspace.project.model)
    reference = None
    nothing = DataChange(kind="none", why="the same bytes")
    changes = (nothing, nothing)
    if record is not None:
        before = _filled(recorded_inputs(record), inputs)
        reference = Reference(inputs=before, record=f"record {record.seq} ({record.digest[:19]})", run=record.run)
        required = required_columns(_schema(workspace))
        changes = (
            _change(workspace, before.train, before.train_digest, train, required),
            _change(workspace, before.evaluation, before.evaluation_digest, evaluation, required),
        )
    plan = make_plan(inputs, reference, *changes, tuple(trained_models(workspace, inputs)), accepted_by)
    return Planned(plan=plan, inputs=inputs, train=train, evaluation=evaluation, reference=record)


def refuse_blocked(plan: Plan) -> None:
    """SchemaBlocked when nobody has followed or accepted a breaking change of the data."""
    if plan.action == "blocked":
        raise SchemaBlocked(
            f"blocked, the data breaks who reads it: {plan.why}",
            fix="change data schema file and code together; or somebody accepts it: "
            "gatewright run --accept-schema-change --by NAME",
        )


def current_inputs(workspace: Workspace, data: Chosen | None = None) -> tuple[Inputs, DataVersion, DataVersion]:
    """What a run opened now would work on: the data versions, the code, the configuration, the tools."""
    project = workspace.project
    train, evaluation = data or latest_data(workspace)
    inputs = Inputs(
        train=f"{train.name} {train.version}",
        train_digest=train.digest,
        evaluation=f"{evaluation.name} {evaluation.version}",
        evaluation_digest=evaluation.digest,
        commit=commit(workspace.root),
        code=present_code(workspace),
        config=workspace.config_digest,
        train_rows=_rows(train),
        evaluation_rows=_rows(evaluation),
        schema=schema_digest(workspace),
        training=_training(project),
        tools=tools_digest(project.train.command[0]),
    )
    return inputs, train, evaluation


def present_code(workspace: Workspace) -> str:
    """The digest of the code as it is now: configuration, schema file, aliases and data have digests of their own."""

    def data_files() -> Collection[str]:
        return {name for version in workspace.data_versions.all() for name in _names(version)}

    return code_digest(workspace.root, (CONFIG, workspace.project.data.schema, ALIASES.as_posix()), data_files)


def reference_record(records: Records, model: str) -> DeploymentRecord | None:
    """The newest record that says which inputs the serving model stands for."""
    found = [record for record in records.all() if record.kind in COMPARED_WITH and record.model == model]
    return found[-1] if found else None


def recorded_inputs(record: DeploymentRecord) -> Inputs:
    """The inputs that a record names; empty where it does not tell."""
    known = record.details["inputs"]
    return Inputs(**{name: str(known.get(name, "")) for name in Inputs.__dataclass_fields__})


def trained_models(workspace: Workspace, inputs: Inputs) -> Iterator[Trained]:
    """Models that were trained from these inputs and passed their gates: the serving one first, then the newest."""
    model = workspace.project.model
    serving = workspace.registry.serving(model)
    record = reference_record(workspace.records, model)
    if serving is not None and record is not None and record.after == serving.artifact.digest:
        found = Trained(
            inputs=recorded_inputs(record),
            artifact=serving.artifact,
            run=serving.run,
            called=f"version {serving.number}",
            serves=True,
        )
        if not differing(found.inputs, inputs, READS["train"]):
            yield found
    for run in reversed(workspace.runs.all()[-_LOOKED_AT:]):
        found_in_run = _trained(workspace, run)
        if found_in_run is not None and not differing(found_in_run.inputs, inputs, READS["train"]):
            yield found_in_run


def _trained(workspace: Workspace, run: RunFolder) -> Trained | None:
    """The model of a run whose verdict passed; None for every other run, also one that cannot be read."""
    try:
        lock, handoff, verdict = (run.read(name) for name in (LOCK, CANDIDATE, VERDICT))
        if lock is None or lock.body["model"] != workspace.project.model:
            return None
        if handoff is None or verdict is None or (handoff.status, verdict.status) != ("passed", "passed"):
            return None
        ended = workspace.records.terminal(run.id)
        if (ended.kind if ended else None) not in _STANDS:
            return None
        candidate = decode(Candidate, canonical_json(handoff.body["candidate"]))
        if verdict.body["artifact"] != candidate.artifact.digest or handoff.body.get("reused"):
            return None
        serving = workspace.registry.serving(workspace.project.model)
        return Trained(
            inputs=decode(Inputs, canonical_json(lock.body["inputs_of_run"])),
            artifact=candidate.artifact,
            run=run.id,
            called=f"the model of run {run.id}",
            serves=serving is not None and serving.artifact.digest == candidate.artifact.digest,
        )
    except (GatewrightError, KeyError):
        return None


def _change(workspace: Workspace, before: str, digest: str, now: DataVersion, required: Collection[str]) -> DataChange:
    """The class of the change from the version that a record names to `now`."""

    def find(version: str) -> DataVersion | None:
        try:
            return workspace.data_versions.get(now.name, version)
        except UnusableInput:
            return None

    name, _, version = before.partition(" ")
    known = find(version) if name == now.name else None
    if known is None or known.digest != digest:
        return DataChange(kind="content", why="the version of the last promoted run is not here to compare with")
    return along(known, way(known, now, find), required)


def _filled(before: Inputs, now: Inputs) -> Inputs:
    """`before` with the rows that an old record does not tell, where the bytes are the same."""
    return replace(
        before,
        train_rows=before.train_rows or (now.train_rows if before.train_digest == now.train_digest else ""),
        evaluation_rows=before.evaluation_rows
        or (now.evaluation_rows if before.evaluation_digest == now.evaluation_digest else ""),
    )


def _rows(version: DataVersion) -> str:
    """What the data says, whatever its layout: columns, types and rows; the bytes where no digest of rows is known."""
    if version.row_digest is None:
        return version.digest
    return sha256(canonical_json([version.fingerprint, version.labels, version.row_digest.rows]))


def _names(version: DataVersion) -> Iterator[str]:
    base = version.uri.rstrip("/")
    folder = base.rpartition("/")[0] if version.kind == "file" else base
    yield from (f"{folder}/{file.path}".removeprefix("/").removeprefix("./") for file in version.files)


def _training(project: Project) -> str:
    """Digest of the sections that describe training, and of those that a training script could read for its columns."""
    parts = {"model": project.model, "data": project.data, "train": project.train, "evaluation": project.evaluation}
    return sha256(canonical_json(plain(parts)))


def _schema(workspace: Workspace) -> Schema | None:
    """The schema file; None when it is missing or wrong, which stage validate tells."""
    try:
        return read_schema(safe_join(workspace.root, workspace.project.data.schema))
    except UnusableInput:
        return None


def schema_digest(workspace: Workspace) -> str:
    """Of what the schema file says; of its bytes when it says nothing that can be understood."""
    schema = _schema(workspace)
    if schema is not None:
        return sha256(canonical_json(plain(schema)))
    path = workspace.root / workspace.project.data.schema
    return "sha256:" + digest_file(path) if path.is_file() else "missing"
