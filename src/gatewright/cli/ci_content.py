"""What `gatewright ci report` tells: collected from whatever a run has left, or from the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.cli.options import chosen_model, opened
from gatewright.domain.errors import ConfigError, StageFailed, UnusableInput
from gatewright.web.ci_report import CiReport, Halt

if TYPE_CHECKING:
    from gatewright.domain.records import DeploymentRecord
    from gatewright.rules.data_diff import DataDifference
    from gatewright.rules.plan import Plan
    from gatewright.store.data_versions import DataVersions
    from gatewright.store.runs import Handoff, RunFolder
    from gatewright.workspace import Workspace

_MODEL = re.compile(r"^model:\s*[\"']?([\w.-]+)[\"']?\s*(?:#.*)?$", re.MULTILINE)
_LOOKED_AT = 1 << 16


def content(root: Path, run_id: str | None) -> CiReport:
    """The report of a run; of the newest one only if it is of this commit, for an older one would be another's.

    What is wrong with configuration, data or hand-offs becomes the report. UnusableInput for a `run_id` that is not
    there, and for several models of which none is named.
    """
    from gatewright.store.runs import Runs

    if run_id is not None:
        Runs(root / ".gatewright" / "runs").get(run_id)
    try:
        workspace = opened(root, run_id)
    except ConfigError as error:
        return CiReport(model=chosen_model() or _model_in(root), error=str(error))
    try:
        run = workspace.runs.get(run_id) if run_id else _newest_of_this_commit(workspace)
        return _of_run(workspace, run) if run is not None else _without_run(workspace)
    except (UnusableInput, StageFailed) as error:
        return CiReport(model=workspace.project.model, error=str(error))


def _model_in(root: Path) -> str:
    """The name in a file that may be wrong elsewhere, so that its report takes the place of the one before."""
    path = root / "gatewright.yaml"
    if not path.is_file():
        return root.resolve().name
    with path.open("rb") as stream:
        found = _MODEL.search(stream.read(_LOOKED_AT).decode(errors="replace"))
    return found[1] if found else root.resolve().name


def _newest_of_this_commit(workspace: Workspace) -> RunFolder | None:
    from gatewright.effects.git import commit
    from gatewright.store.runs import LOCK

    here = _clean(commit(workspace.root))
    for run in reversed(workspace.runs.all()):
        lock = run.need(LOCK, "validate").body
        if lock["model"] == workspace.project.model:
            return run if _clean(lock["commit"]) == here else None
    return None


def _without_run(workspace: Workspace) -> CiReport:
    """Nothing was opened: the plan says why, or that it still will be."""
    from gatewright.engine.planning import plan_run

    planned = plan_run(workspace)
    record = planned.reference
    return _with_data(
        CiReport(
            model=workspace.project.model,
            plan=planned.plan,
            compared=f"record {record.seq}, {record.kind}, run {record.run}" if record else "nothing",
            commit=_clean(planned.inputs.commit),
        ),
        workspace.data_versions,
    )


def _of_run(workspace: Workspace, run: RunFolder) -> CiReport:
    from gatewright.domain.documents import canonical_json
    from gatewright.rules.plan import Plan
    from gatewright.store.codec import decode
    from gatewright.store.runs import HANDOFFS
    from gatewright.web.subject import subject_of_run

    handoffs = {name: found for name in HANDOFFS if (found := run.read(name)) is not None}
    records = [record for record in workspace.records.all() if record.run == run.id]
    lock = handoffs["lock"].body
    baseline = lock.get("baseline")
    report = CiReport(
        model=lock["model"],
        subject=subject_of_run(run.id, handoffs, records),
        halt=_halt(run, handoffs, records),
        plan=decode(Plan, canonical_json(lock["plan"])) if "plan" in lock else None,
        compared=f"version {baseline['number']}" if baseline else "nothing",
        commit=_clean(lock["commit"]),
    )
    return _with_data(report, workspace.data_versions)


def _halt(run: RunFolder, handoffs: Mapping[str, Handoff], records: Sequence[DeploymentRecord]) -> Halt | None:
    """The first of the stages up to the gates that has not passed; None when the gates have spoken."""
    from gatewright.engine.pipeline import STAGES

    ended = next((record for record in records if record.kind in ("stopped", "aborted")), None)
    for stage in STAGES[:4]:
        handoff = handoffs.get(stage.handoff)
        if stage.name == "gate" and handoff is not None:
            return None
        if handoff is not None and handoff.status == "passed":
            continue
        log = run.path / "logs" / f"{stage.name}.log"
        began = handoff is not None or ended is not None or log.is_file()
        why = ended.why if ended is not None else ""
        if began and not why and log.is_file():
            why = f"It left no {stage.handoff}.json. What it said is in logs/{log.name} of the run."
        checks, reports = _findings(handoff) if handoff is not None else ((), ())
        if checks or reports:
            why = f"{len(checks)} of its checks did not pass." if checks else why
        return Halt(stage=stage.name, began=began, why=why, checks=checks, reports=reports)
    return None


def _findings(handoff: Handoff) -> tuple[tuple[Mapping[str, object], ...], tuple[Mapping[str, object], ...]]:
    """The checks that did not pass, and the reports of data whose breaches no check has told."""
    checks = tuple(each for each in handoff.body.get("checks", ()) if each.get("status") != "passed")
    told = any(each.get("findings") for each in checks)
    reports = () if told else tuple(handoff.body.get("data", {}).values())
    return checks, reports


def _with_data(report: CiReport, versions: DataVersions) -> CiReport:
    found = tuple(_differences(report.plan, versions)) if report.plan is not None else ()
    return replace(report, data=found)


def _differences(plan: Plan, versions: DataVersions) -> Iterator[DataDifference]:
    """Each data set that changed, beside the version of the last promoted run; one that is gone is left to the plan."""
    from gatewright.rules.data_diff import difference

    seen = set()
    for change in plan.changes:
        if change.what not in ("data", "evaluation data") or (change.before, change.now) in seen:
            continue
        seen.add((change.before, change.now))
        try:
            before, now = (versions.get(*each.split(" ", 1)) for each in (change.before, change.now))
        except (UnusableInput, TypeError):
            continue
        yield difference(before, now, {version.version: version for version in versions.all(now.name)})


def _clean(commit: str) -> str:
    """A commit without what says that files differed from it."""
    return commit if commit == "no-git" else commit.partition("-")[0]
