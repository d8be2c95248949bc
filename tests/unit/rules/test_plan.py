"""Plans in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gatewright.domain.lineage import Artifact
from gatewright.rules.changes import DataChange
from gatewright.rules.plan import Plan, Reference, Trained, make_plan
from gatewright.rules.trigger import Inputs

BEFORE = Inputs(
    train="acs 2015",
    train_digest="sha256:" + "1" * 64,
    evaluation="acs-eval 2017",
    evaluation_digest="sha256:" + "2" * 64,
    commit="0123456789abcdef",
    code="c1",
    config="sha256:" + "3" * 64,
    train_rows="r1",
    evaluation_rows="e1",
    schema="sha256:" + "4" * 64,
    training="t1",
    tools="sha256:" + "5" * 64,
)
SAME = DataChange(kind="none", why="the same bytes")
APPEND = DataChange(kind="append", why="7 rows are new", rows_added=7, rows_removed=0)
BROKEN = DataChange(kind="schema-breaking", why="SEX (int8) was dropped")
SERVING = Trained(
    inputs=BEFORE, artifact=Artifact(uri="x", digest="sha256:" + "a" * 64, size=1), run="run1", called="version 1",
    serves=True,
)  # fmt: skip
NEW_DATA = {"train": "acs 2016", "train_digest": "sha256:6", "train_rows": "r2"}
NEW_EVALUATION = {"evaluation": "acs-eval 2018", "evaluation_digest": "sha256:7", "evaluation_rows": "e2"}


def plan(data: DataChange = SAME, eval_set: DataChange = SAME, by: str | None = None, **changed: Any) -> Plan:
    reference = Reference(inputs=BEFORE, record="record 3", run="run1")
    return make_plan(replace(BEFORE, **changed), reference, data, eval_set, [SERVING], by)


def stages(found: Plan) -> str:
    return " ".join(stage.stage.upper() if stage.runs else stage.stage for stage in found.stages)


def test_the_first_run_needs_no_change() -> None:
    found = make_plan(BEFORE, None, SAME, SAME, [])
    assert found.action == "everything"
    assert found.reasons == ("first deployment: nothing was promoted before",)


def test_nothing_changed() -> None:
    found = plan()
    assert (found.action, found.changes) == ("nothing", ())
    assert stages(found) == "validate train evaluate gate register canary rollout finish"


def test_a_commit_that_leaves_the_code_as_it_is_is_no_change() -> None:
    assert plan(commit="f" * 40).action == "nothing"


def test_a_rewrite_starts_nothing_whatever_the_pointers_say() -> None:
    found = plan(APPEND, train="acs 2015b", train_digest="sha256:6")
    assert found.action == "nothing"
    assert found.why == "data is a rewrite: the same rows in another layout: no value differs"


@pytest.mark.parametrize("change", [APPEND, DataChange(kind="labels", why="x"), DataChange(kind="content", why="x")])
def test_new_rows_run_everything(change: DataChange) -> None:
    found = plan(change, **NEW_DATA)
    assert found.action == "everything"
    assert stages(found) == "VALIDATE TRAIN EVALUATE GATE REGISTER CANARY ROLLOUT FINISH"
    assert found.reasons == (f"data: acs 2015 → acs 2016 ({change.kind}: {change.why})",)


def test_an_evaluation_set_judges_what_serves_and_trains_nothing() -> None:
    found = plan(eval_set=DataChange(kind="evaluation", why="labels of an evaluation set"), **NEW_EVALUATION)
    assert found.action == "evaluate"
    assert found.reuse == SERVING
    assert stages(found) == "VALIDATE train EVALUATE GATE register canary rollout finish"
    train = found.stages[1]
    assert train.why == "version 1 stands in: aaaaaaaaaaaa"
    assert train.proof == (
        "run run1, whose verdict passed, has the same data, code, schema file, configuration of training, tools"
    )


def test_gates_alone_train_nothing_and_training_does() -> None:
    assert plan(config="sha256:8").action == "evaluate"
    assert plan(config="sha256:8", training="t2").action == "everything"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"commit": "fedcba9876543210-dirty.1a", "code": "c2"}, "code: 01234567 → fedcba98-dirty.1a"),
        ({"tools": "sha256:8"}, "tools: 555555555555 → 8"),
        ({"schema": "sha256:8"}, "schema file: 444444444444 → 8"),
        ({"config": "sha256:8"}, "configuration: 333333333333 → 8"),
        ({"training": "t2"}, "configuration of training: t1 → t2"),
    ],
)
def test_each_change_is_told_alone(changed: dict[str, str], told: str) -> None:
    assert plan(**changed).reasons == (told,)


def test_what_an_old_run_did_not_record_is_not_taken_for_the_same() -> None:
    old = Reference(inputs=replace(BEFORE, tools="", schema="", training=""), record="record 3", run="run1")
    found = make_plan(BEFORE, old, SAME, SAME, [replace(SERVING, inputs=old.inputs)])
    assert found.action == "everything"
    assert found.reasons[-1] == "tools: not recorded → 555555555555"


class TestBreaking:
    def test_it_is_blocked(self) -> None:
        found = plan(BROKEN, **NEW_DATA)
        assert (found.action, found.why) == ("blocked", "data: SEX (int8) was dropped")
        assert not any(stage.runs for stage in found.stages)

    @pytest.mark.parametrize("alone", [{"schema": "s2"}, {"code": "c2"}])
    def test_schema_file_or_code_alone_is_not_enough(self, alone: dict[str, str]) -> None:
        assert plan(BROKEN, **NEW_DATA, **alone).action == "blocked"

    def test_schema_file_and_code_together_follow_it(self) -> None:
        found = plan(BROKEN, schema="s2", code="c2", by="ada", **NEW_DATA)
        assert (found.action, found.accepted_by) == ("everything", None)

    def test_somebody_accepts_it(self) -> None:
        found = plan(BROKEN, by="ada", **NEW_DATA)
        assert (found.action, found.accepted_by) == ("everything", "ada")
        assert found.reasons[-1] == "schema change accepted by ada"

    def test_an_evaluation_set_blocks_too(self) -> None:
        assert plan(eval_set=BROKEN, **NEW_EVALUATION).action == "blocked"
