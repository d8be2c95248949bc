"""No wrong skip: whatever changes, a stage that reads it runs; what is left out is proven by a run that passed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatewright.domain.lineage import Artifact
from gatewright.rules.changes import DataChange
from gatewright.rules.plan import Plan, Reference, Trained, make_plan
from gatewright.rules.trigger import ALL, READS, Inputs, differing

KINDS = ("none", "rewrite", "append", "content", "labels", "evaluation", "schema-compatible", "schema-breaking")
FIELDS = tuple(Inputs.__dataclass_fields__)
COMPARED = sorted({*ALL, *READS["train"]})
digests = st.sampled_from(["", "1", "2", "3"])
inputs = st.builds(Inputs, **dict.fromkeys(FIELDS, digests))
changes = st.builds(DataChange, kind=st.sampled_from(KINDS), why=st.just("because"))
trained = st.builds(
    Trained,
    inputs=inputs,
    artifact=st.just(Artifact(uri="x", digest="sha256:0", size=1)),
    run=st.just("run"),
    called=st.just("version 1"),
    serves=st.booleans(),
)
plans = st.tuples(
    inputs, st.none() | inputs, changes, changes, st.lists(trained, max_size=3), st.none() | st.just("ada")
)


def planned(case: tuple[Any, ...]) -> Plan:
    now, before, data, evaluation, models, accepted_by = case
    reference = Reference(inputs=before, record="record 1", run="run") if before else None
    return make_plan(now, reference, data, evaluation, models, accepted_by)


def proven(one: Inputs, other: Inputs, names: tuple[str, ...]) -> bool:
    """Every digest is known, and the same."""
    return all(getattr(one, name) == getattr(other, name) != "" for name in names)


@given(plans)
def test_every_stage_that_does_not_run_is_proven(case: tuple[Any, ...]) -> None:
    now, before, _, _, models, _ = case
    plan = planned(case)
    for stage in plan.stages:
        if stage.runs or plan.action == "blocked":
            continue
        assert stage.proof
        if plan.action == "nothing":
            assert before is not None
            assert proven(before, now, READS.get(stage.stage, ALL))
        elif stage.stage == "train":
            assert any(proven(model.inputs, now, READS["train"]) for model in models)
        else:
            assert stage.stage in ("register", "canary", "rollout finish")
            assert plan.reuse is not None
            assert plan.reuse.serves


@given(inputs, st.lists(st.sampled_from(COMPARED), min_size=1, unique=True), changes, changes, st.booleans())
def test_a_change_of_any_input_runs_every_stage_that_reads_it(
    before: Inputs, names: list[str], data: DataChange, evaluation: DataChange, serves: bool
) -> None:
    now = replace(before, **dict.fromkeys(names, "new"))
    model = Trained(
        inputs=before, artifact=Artifact(uri="x", digest="d", size=1), run="run", called="version 1", serves=serves
    )
    plan = make_plan(now, Reference(inputs=before, record="r", run="run"), data, evaluation, [model], "ada")
    running = {stage.stage for stage in plan.stages if stage.runs}
    for stage, read in READS.items():
        if set(names) & set(read) and set(names) & set(ALL):
            assert stage in running, f"{stage} reads {read}, of which {names} changed"


@given(plans)
def test_the_class_of_a_change_decides_nothing_by_itself(case: tuple[Any, ...]) -> None:
    """A pointer file may claim what it likes: only digests lead to a skip."""
    now, before, _, _, _, _ = case
    plan = planned(case)
    if plan.action == "nothing":
        assert before is not None
        assert not differing(before, now, ALL)
    if before is not None and not differing(before, now, ALL):
        assert plan.action == "nothing"


@given(plans)
def test_data_that_breaks_runs_only_when_it_was_followed_or_accepted(case: tuple[Any, ...]) -> None:
    now, before, data, evaluation, _, accepted_by = case
    plan = planned(case)
    if before is None or plan.action in ("nothing", "blocked"):
        return
    moved = {"train": data, "evaluation": evaluation}
    breaks = any(
        change.kind == "schema-breaking"
        and getattr(before, f"{name}_digest") != getattr(now, f"{name}_digest")
        and differing(before, now, (f"{name}_rows",))
        for name, change in moved.items()
    )
    if breaks:
        followed = len(differing(before, now, ("schema", "code"))) == 2
        assert followed or plan.accepted_by == accepted_by == "ada"
    else:
        assert plan.accepted_by is None
