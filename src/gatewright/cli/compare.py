"""`gatewright compare`: one model against another on the same rows, judged by the gates; nothing is changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.options import Output, known_runs, opened, output_option, workspace_option
from gatewright.cli.report import Format, deliver, format_options, formatted

if TYPE_CHECKING:
    from gatewright.engine.comparing import Compared, Contender
    from gatewright.ports import Progress
    from gatewright.web.subject import Fact, Subject
    from gatewright.workspace import Workspace


@click.command()
@click.argument("model_a", metavar="MODEL_A")
@click.argument("model_b", metavar="MODEL_B")
@click.option("--on", metavar="DATA_VERSION", help="A version of the evaluation set.  [default: the latest]")
@format_options("text")
@click.option("--gate", is_flag=True, help="End with the verdict's exit code: 0 pass, 1 fail, 3 inconclusive.")
@workspace_option
@output_option
@click.pass_context
def compare(
    context: click.Context,
    model_a: str,
    model_b: str,
    on: str | None,
    form: Format,
    file: Path | None,
    gate: bool,
    root: Path,
    output: Output,
) -> None:
    """Judge MODEL_A as the candidate and MODEL_B as the baseline, on the same rows, by the configured gates.

    A model is the number of a registered version, `production`, or the id of a run that trained one. Nothing is
    changed: no run, no record, no version. Exit 0 whatever the verdict is, unless --gate.

    \b
    Examples:
      gatewright compare 3 production
      gatewright compare 3 2 --on 2017-12-31
      gatewright compare RUN production --gate
      gatewright compare RUN 2 --format html --file comparison.html
      gatewright compare 3 2 --output json     verdict, numbers and evidence: the same as --format json
    """
    from gatewright.cli.gate_files import EXIT_CODES
    from gatewright.engine.comparing import compare as compared

    form = "json" if output == "json" else form
    workspace = _workspace(root, (model_a, model_b))
    found = compared(workspace, model_a, model_b, _progress(output, file), on=on)
    deliver(_document(workspace, found) if form == "json" else formatted(subject_of(workspace, found), form), file)
    if gate:
        context.exit(EXIT_CODES[found.judgement.verdict])


def _workspace(root: Path, names: tuple[str, str]) -> Workspace:
    """Of several models, the one that a named run is for."""
    runs = {run.id for run in known_runs(root).all()}
    return opened(root, next((name for name in names if name in runs), None))


def _progress(output: Output, file: Path | None) -> Progress:
    """Only where it does not mix with the report: on a terminal, or when the report goes to a file."""
    from gatewright.cli.render import progress_for

    return progress_for(output if sys.stdout.isatty() or file else "json")


def subject_of(workspace: Workspace, found: Compared) -> Subject:
    """The comparison before it has a form."""
    from gatewright.store.verdicts import RecordedVerdict
    from gatewright.web.measured import measured
    from gatewright.web.subject import Subject

    judgement, artifact = found.judgement, found.candidate.artifact.digest
    return Subject(
        model=workspace.project.model,
        run=None,
        state=f"{found.candidate.called} against {found.baseline.called}",
        told="",
        recorded=RecordedVerdict(verdict=judgement.verdict, judgement=judgement, artifact=artifact),
        measured=measured(found.report),
        facts=tuple(_facts(workspace, found)),
        warnings=judgement.warnings,
        commands=(f"gatewright compare {found.candidate.word} {found.baseline.word} --on {found.evaluation.version}",),
    )


def _facts(workspace: Workspace, found: Compared) -> Iterator[Fact]:
    from gatewright.domain.documents import short
    from gatewright.web.subject import Fact

    for role, contender in (("candidate", found.candidate), ("baseline", found.baseline)):
        yield Fact(what=role, which=short(contender.artifact.digest), remark=contender.called)
    evaluation = found.evaluation
    yield Fact(
        what="evaluation data",
        which=f"{evaluation.name} {evaluation.version}",
        remark=f"{evaluation.rows:,} rows, {short(evaluation.digest)}",
    )
    yield Fact(what="configuration", which=short(workspace.config_digest))


def _document(workspace: Workspace, found: Compared) -> str:
    """Everything as one JSON document: the judgement as in verdict.json, the evidence as in evaluation-report.json."""
    from gatewright.domain.documents import plain, pretty_json
    from gatewright.engine.scoring import body_of

    evaluation = found.evaluation
    document = {
        "verdict": found.judgement.verdict,
        "candidate": _named(found.candidate),
        "baseline": _named(found.baseline),
        "evaluation": {name: getattr(evaluation, name) for name in ("name", "version", "digest", "rows")},
        "config": workspace.config_digest,
        **plain(found.judgement),
        "report": body_of(workspace, found.report),
    }
    return pretty_json(document).decode()


def _named(contender: Contender) -> dict[str, Any]:
    return {"name": contender.word, "called": contender.called, "digest": contender.artifact.digest}
