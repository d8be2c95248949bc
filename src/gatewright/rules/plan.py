"""What will run, and why; what will not, and by which proof. Decided before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gatewright.domain.documents import short
from gatewright.domain.lineage import Artifact
from gatewright.rules.changes import REWRITTEN, SAME_ROWS, DataChange
from gatewright.rules.trigger import ALL, NAMES, READS, Inputs, differing

Action = Literal["nothing", "evaluate", "everything", "blocked"]
STAGES = ("validate", "train", "evaluate", "gate", "register", "canary", "rollout finish")
_AFTER_THE_GATES = ("register", "canary", "rollout finish")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChange:
    """One input that differs from the last promoted run: its class, and why it has that class."""

    what: str
    kind: str
    before: str
    now: str
    why: str = ""

    def __str__(self) -> str:
        told = f" ({self.kind}: {self.why})" if self.why else ""
        return f"{self.what}: {self.before} → {self.now}{told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """Whether a stage runs, and why; `proof` says what it rests on when it does not."""

    stage: str
    runs: bool
    why: str
    proof: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model that exists, the inputs it was trained from, and the run whose verdict on it passed."""

    inputs: Inputs
    artifact: Artifact
    run: str
    called: str
    serves: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the plan compares with: the record of the last promotion (or confirmation), and the inputs it names."""

    inputs: Inputs
    record: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`action` in one word, `why` in a sentence; `reuse` is the model that takes the place of training."""

    action: Action
    why: str
    changes: tuple[InputChange, ...]
    stages: tuple[StagePlan, ...]
    reuse: Trained | None = None
    accepted_by: str | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why a run starts, a line for each change."""
        accepted = (f"schema change accepted by {self.accepted_by}",) if self.accepted_by else ()
        return (*map(str, self.changes), *accepted) or (self.why,)


def make_plan(
    now: Inputs,
    reference: Reference | None,
    data: DataChange,
    evaluation: DataChange,
    trained: Sequence[Trained],
    accepted_by: str | None = None,
) -> Plan:
    """The plan for a run on `now`; `data` and `evaluation` class the change of the two sets since the reference.

    `trained` are the models that may stand in for training, the best first. One does only if everything that the train
    stage reads is proven the same as for it.
    """
    if reference is None:
        why = "first deployment: nothing was promoted before"
        return Plan(action="everything", why=why, changes=(), stages=tuple(_all_stages(why)))
    changes = tuple(_changes(reference.inputs, now, data, evaluation))
    if not differing(reference.inputs, now, ALL):
        return _nothing(reference, changes)
    breaking = [change for change in changes if change.kind == "schema-breaking"]
    followed = not {"schema", "code"} - set(differing(reference.inputs, now, ALL))
    if breaking and not followed and accepted_by is None:
        why = "; ".join(f"{change.what}: {change.why}" for change in breaking)
        stages = tuple(StagePlan(stage=stage, runs=False, why="blocked") for stage in STAGES)
        return Plan(action="blocked", why=why, changes=changes, stages=stages)
    accepted_by = accepted_by if breaking and not followed else None
    reuse = next((model for model in trained if not differing(model.inputs, now, READS["train"])), None)
    return Plan(
        action="evaluate" if reuse else "everything",
        why="; ".join(f"{change.what} {'' if change.kind == 'changed' else 'is '}{change.kind}" for change in changes),
        changes=changes,
        stages=tuple(_stages(reference, now, reuse)),
        reuse=reuse,
        accepted_by=accepted_by,
    )


def _changes(before: Inputs, now: Inputs, data: DataChange, evaluation: DataChange) -> Iterator[InputChange]:
    sets = (("data", "train", data), ("evaluation data", "evaluation", evaluation))
    for what, name, change in sets:
        if getattr(before, f"{name}_digest") != getattr(now, f"{name}_digest"):
            if f"{name}_rows" not in differing(before, now, ALL):
                change = DataChange(kind="rewrite", why=REWRITTEN, rows_added=0, rows_removed=0)
            yield InputChange(
                what=what, kind=change.kind, before=getattr(before, name), now=getattr(now, name), why=change.why
            )
    if before.code != now.code:
        yield InputChange(what="code", kind="changed", before=_commit(before.commit), now=_commit(now.commit))
    for name in ("schema", "config", "training", "tools"):
        old, new = getattr(before, name), getattr(now, name)
        # Training is part of the configuration: alone it differs only where a default does.
        if old != new and not (name == "training" and before.config != now.config):
            yield InputChange(what=NAMES[name], kind="changed", before=short(old) or "not recorded", now=short(new))


def _nothing(reference: Reference, changes: tuple[InputChange, ...]) -> Plan:
    assert all(change.kind in SAME_ROWS for change in changes), "rows differ although their digest is the same"
    proof = f"{reference.record} of run {reference.run}, whose verdict passed: every input digest is the same"
    why = "; ".join(f"{change.what} is a {change.kind}: {change.why}" for change in changes) or "nothing changed"
    stages = tuple(StagePlan(stage=stage, runs=False, why="its inputs are the same", proof=proof) for stage in STAGES)
    return Plan(action="nothing", why=why, changes=changes, stages=stages)


def _all_stages(why: str) -> Iterator[StagePlan]:
    yield from (StagePlan(stage=stage, runs=True, why=why) for stage in STAGES[:4])
    yield from (StagePlan(stage=stage, runs=True, why="if the gates pass") for stage in _AFTER_THE_GATES)


def _stages(reference: Reference, now: Inputs, reuse: Trained | None) -> Iterator[StagePlan]:
    changed = {stage: _named(differing(reference.inputs, now, names)) for stage, names in READS.items()}
    yield StagePlan(stage="validate", runs=True, why=changed["validate"] or "it proves the bytes that others read")
    if reuse is None:
        yield StagePlan(stage="train", runs=True, why=changed["train"] or "the model of these inputs is not here")
        yield StagePlan(stage="evaluate", runs=True, why="a new candidate")
    else:
        names = ", ".join(NAMES[name] for name in READS["train"])
        proof = f"run {reuse.run}, whose verdict passed, has the same {names}"
        why = f"{reuse.called} stands in: {short(reuse.artifact.digest)}"
        yield StagePlan(stage="train", runs=False, why=why, proof=proof)
        yield StagePlan(stage="evaluate", runs=True, why=changed["evaluate"] or "production may be another model now")
    yield StagePlan(stage="gate", runs=True, why="a new report")
    for stage in _AFTER_THE_GATES:
        if reuse is not None and reuse.serves:
            yield StagePlan(stage=stage, runs=False, why=f"{reuse.called} serves already", proof=reuse.artifact.digest)
        else:
            yield StagePlan(stage=stage, runs=True, why="if the gates pass")


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(f"{NAMES[name]} changed" for name in names)


def _commit(commit: str) -> str:
    head, _, dirty = commit.partition("-")
    return head[:8] + (f"-{dirty}" if dirty else "")
