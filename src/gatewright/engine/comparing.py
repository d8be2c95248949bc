"""Two models on the same rows, outside of any run: the scoring and the judge of a run, and nothing is changed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path

from gatewright.domain.documents import canonical_json, short
from gatewright.domain.errors import GatewrightError, Interrupted, UnusableInput
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.gate import Judgement
from gatewright.domain.lineage import Artifact, Candidate, DataVersion, ModelVersion
from gatewright.engine.proofs import golden_version, laid_out, model_folder, proven_artifact, proven_version
from gatewright.engine.scoring import score
from gatewright.engine.stages.gate import judged, remarks
from gatewright.ports import Progress
from gatewright.rules.evalset import age, check_weighed
from gatewright.store.codec import decode
from gatewright.store.runs import CANDIDATE, LOCK, RunFolder, Runs
from gatewright.workspace import STATE, Workspace

PRODUCTION = "production"
_SHOWN = 5
_NUMBER_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model that is compared: the word that names it for good, how people call it, and its proven bytes."""

    word: str
    called: str
    artifact: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came out: `candidate` against `baseline` on the rows of `evaluation`."""

    candidate: Contender
    baseline: Contender
    evaluation: DataVersion
    report: EvaluationReport
    judgement: Judgement


def compare(
    workspace: Workspace, candidate: str, baseline: str, progress: Progress, *, on: str | None = None
) -> Compared:
    """Score and judge two models on the latest evaluation set, or on its version `on`.

    A model is the number of a registered version, `production`, or the id of a run that trained one. UnusableInput for
    a model or an evaluation set that is not there, for one model twice, and for bytes that are not as recorded.
    """
    evaluation = _evaluation(workspace, on)
    progress.stage("compare", "started")
    try:
        found = _compared(workspace, (candidate, baseline), evaluation, progress)
    except (KeyboardInterrupt, Interrupted) as error:
        progress.stage("compare", "failed", "interrupted")
        raise Interrupted("the comparison was interrupted", fix="nothing was changed; start it again") from error
    except GatewrightError as error:
        progress.stage("compare", "failed", error.what)
        raise
    progress.stage("compare", "passed", f"{found.judgement.verdict} on {found.report.overall.rows:,} rows")
    return found


def _compared(workspace: Workspace, names: tuple[str, str], evaluation: DataVersion, progress: Progress) -> Compared:
    first, second = (_contender(workspace, name) for name in names)
    if first.artifact.digest == second.artifact.digest:
        raise UnusableInput(
            f"{first.called} and {second.called} are the same model, {short(first.artifact.digest)}",
            fix=f"compare it with another one; {_known(workspace)}",
        )
    models = {"candidate": first.artifact, "baseline": second.artifact}
    if (golden := golden_version(workspace)) is not None:
        models["golden"] = proven_version(workspace, "golden", golden)
    check_weighed(evaluation, workspace.project.evaluation)
    with _scratch(workspace.root / STATE) as folder:
        progress.waiting(f"{evaluation.name} {evaluation.version}: digest")
        data = laid_out(workspace, evaluation, folder / "data")
        progress.waiting(f"scoring {first.called} and {second.called}")
        report = score(workspace, folder, models, evaluation.digest, data, progress)
    judgement = judged(workspace, report)
    state, told = age(evaluation, workspace.clock.now())
    warnings = (*judgement.warnings, *remarks(workspace, report), *([told] if state != "fresh" else []))
    return Compared(
        candidate=first,
        baseline=second,
        evaluation=evaluation,
        report=report,
        judgement=replace(judgement, warnings=warnings),
    )


def _evaluation(workspace: Workspace, version: str | None) -> DataVersion:
    name = workspace.project.data.evaluation
    if version is None:
        return workspace.data_versions.latest(name, "eval")
    found = workspace.data_versions.get(name, version)
    if found.role != "eval":
        raise UnusableInput(
            f"{name} {found.version} is {found.role} data", fix=f"name one of role eval: gatewright data list {name}"
        )
    return found


def _contender(workspace: Workspace, name: str) -> Contender:
    """The model that `name` means; UnusableInput that lists the known ones."""
    model = workspace.project.model
    if name == PRODUCTION:
        serving = workspace.registry.serving(model)
        if serving is None:
            raise UnusableInput(f"{model} has no version in production yet", fix=_known(workspace))
        return _registered(workspace, serving, f"version {serving.number} ({PRODUCTION})")
    if name.isascii() and name.isdigit() and len(name) <= _NUMBER_DIGITS:
        version = workspace.registry.numbered(model, int(name))
        if version is None:
            raise UnusableInput(f"{model} has no version {name}", fix=_known(workspace))
        return _registered(workspace, version, f"version {version.number}")
    run = next((run for run in workspace.runs.all() if run.id == name), None)
    if run is None:
        raise UnusableInput(f"there is no model {name!r}", fix=_known(workspace))
    return _trained(workspace, run)


def _registered(workspace: Workspace, version: ModelVersion, called: str) -> Contender:
    _check_there(workspace, version.artifact, called, "restore the registry's files")
    return Contender(
        word=str(version.number), called=called, artifact=proven_version(workspace, f"model of {called}", version)
    )


def _trained(workspace: Workspace, run: RunFolder) -> Contender:
    called, model = f"run {run.id}", run.need(LOCK, "validate").body["model"]
    if model != workspace.project.model:
        raise UnusableInput(
            f"{called} is of model {model}, not {workspace.project.model}", fix="compare two models of one name"
        )
    handoff = run.read(CANDIDATE)
    if handoff is None or handoff.status != "passed":
        raise UnusableInput(f"{called} has trained no model", fix=_known(workspace))
    recorded = decode(Candidate, canonical_json(handoff.body["candidate"])).artifact
    _check_there(workspace, recorded, called, f"restore it, or name its version; {_known(workspace)}")
    return Contender(word=run.id, called=called, artifact=proven_artifact(workspace, recorded))


def _check_there(workspace: Workspace, artifact: Artifact, called: str, fix: str) -> None:
    folder = model_folder(workspace, artifact)
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UnusableInput(f"the model of {called} is not there any more: {artifact.uri} holds no file", fix=fix)


def _known(workspace: Workspace) -> str:
    """The models that could have been meant, the newest last. Versions are numbered from 1."""
    model = workspace.project.model
    serving = workspace.registry.serving(model)
    numbers = list(takewhile(lambda number: workspace.registry.numbered(model, number) is not None, count(1)))
    trained = [run.id for run in workspace.runs.all() if _has_model(run, model)]
    told = [f"{PRODUCTION} (version {serving.number})"] if serving else []
    told += [f"versions {', '.join(map(str, numbers[-_SHOWN:]))}"] if numbers else []
    told += [f"runs {', '.join(trained[-_SHOWN:])}"] if trained else []
    return "known: " + "; ".join(told) if told else "there is no model yet: gatewright run"


def _has_model(run: RunFolder, model: str) -> bool:
    return (run.path / f"{CANDIDATE}.json").is_file() and run.need(LOCK, "validate").body["model"] == model


@contextmanager
def _scratch(state: Path) -> Iterator[Path]:
    """A folder for one comparison, removed at its end; also those that a killed comparison has left.

    The log that an error names is kept as compare.log.
    """
    kept = state / "compare.log"
    for left in (RunFolder(path) for path in state.glob("compare-*") if (path / ".held").exists()):
        if not left.held():
            shutil.rmtree(left.path, ignore_errors=True)
    scratch = Runs(state).create(f"compare-{secrets.token_hex(4)}")
    try:
        with scratch.hold():
            yield scratch.path
    except GatewrightError as error:
        named = Path(error.fix.removeprefix("see "))
        if named.is_relative_to(scratch.path) and named.is_file():
            shutil.copyfile(named, kept)
            error.fix = f"see {kept}"
        raise
    finally:
        shutil.rmtree(scratch.path, ignore_errors=True)
