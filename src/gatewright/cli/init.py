"""`gatewright init`: into a repository that has none of it yet."""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright import __version__
from gatewright.cli.failures import BadCommand
from gatewright.cli.options import Output, actor_option, output_option, workspace_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewright.engine.adoption.proposing import Answers, Question, Survey
    from gatewright.engine.adoption.writing import Planned


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing: take every guess.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--force", is_flag=True, help="Write over files that are there; not over a schema file of yours.")
@click.option("--example", is_flag=True, help="Bring a small training script and invented data, to see it work.")
@click.option("--name", "model", metavar="NAME", help="The model's name.  [default: that of the folder]")
@click.option("--target", type=click.Choice(["github", "gitlab", "jenkins", "none"]), help="The CI system.")
@click.option("--train-command", "command", metavar="WORDS", help="The training command, with its placeholders.")
@click.option("--format", "form", type=click.Choice(["skops", "onnx"]), help="How training saves the model.")
@click.option("--train-data", "train_file", metavar="PATH", help="The file to train on, CSV or parquet.")
@click.option("--eval-data", "evaluation_file", metavar="PATH", help="The file to evaluate on.")
@click.option(
    "--split",
    type=click.FloatRange(0.01, 0.9),
    metavar="SHARE",
    help="Set this share of the rows apart, by their hash.  [default: 0.2, where there is one file only]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed sets other rows apart.")
@click.option("--label", metavar="COLUMN", help="The column that is predicted.")
@click.option("--id", "id", metavar="COLUMN", help="The column that identifies a row.")
@click.option("--attribute", "attributes", multiple=True, metavar="COLUMN", help="Its groups must be treated alike.")
@click.option("--slice", "slices", multiple=True, metavar="COLUMN", help="A slice for each of its values.")
@click.option("--requirements", metavar="PATH", help="The requirements file to audit, or none.")
@actor_option("--created-by", "created_by", "Who adds the first data versions.")
@workspace_folder("the repository")
@output_option
def init(
    yes: bool, dry_run: bool, force: bool, example: bool, root: Path, output: Output, created_by: str, **told: Any
) -> None:
    """Look at a repository, ask what it does not say itself, and write what Gatewright needs.

    That is gatewright.yaml, a schema file, the first data versions and the pipeline file of your CI. Every guess is
    told with its reason. All questions come before the first file is written, so Ctrl-C leaves nothing; files that are
    there are never written over without --force. Your code is read, not run, and not changed.

    \b
    Examples:
      gatewright init
      gatewright init --yes
      gatewright init --dry-run --output json
      gatewright init --train-data data/2025.csv --eval-data data/2026.csv --label churned
      gatewright init --example --yes          in an empty folder: then gatewright run --bootstrap-by NAME
    """
    from gatewright.cli.init_words import tell
    from gatewright.effects.repository import look
    from gatewright.engine.adoption.proposing import Survey
    from gatewright.engine.adoption.writing import refuse_overwriting, write_files
    from gatewright.workspace import Plugins

    _refuse_second(root, force or dry_run)
    survey = Survey(
        root=root,
        repository=look(root),
        answers=_answers(told),
        ask=_asker(yes, output),
        kinds=Plugins().names("registries"),
        confirmed=not yes,
    )
    planned = _planned(survey, example, root, anew=force)
    if not dry_run:
        if not force:
            refuse_overwriting(planned.files)
        write_files(root, planned.files)
    versions = () if dry_run else _added(root, planned, created_by)
    tell(survey, planned, versions, dry_run=dry_run, output=output)


def is_terminal() -> bool:
    """Whether somebody sits at standard input."""
    return sys.stdin.isatty()


def _refuse_second(root: Path, allowed: bool) -> None:
    """Before anybody is asked anything: a repository that has a configuration is not one to begin in."""
    from gatewright.domain.errors import UnusableInput
    from gatewright.workspace import CONFIG

    if not allowed and (root / CONFIG).exists():
        raise UnusableInput(
            f"{CONFIG} is there already: nothing was asked, and nothing written",
            fix="gatewright config check, gatewright ci generate --target CI; or gatewright init --force to begin anew",
        )


def _answers(told: dict[str, Any]) -> Answers:
    from gatewright.engine.adoption.proposing import Answers

    if told["split"] is not None and told["evaluation_file"] is not None:
        raise BadCommand("--split makes an evaluation set, --eval-data names one", fix="leave one out")
    form, attributes, slices = told.pop("form"), told.pop("attributes"), told.pop("slices")
    return Answers(format=form, attributes=attributes or None, slices=slices or None, **told)


def _asker(yes: bool, output: Output) -> Callable[[Question], str]:
    """Who answers: the guesses with --yes, else whoever sits at the terminal; BadCommand when nobody does."""

    def ask(question: Question) -> str:
        if not is_terminal() or output == "json":
            raise BadCommand(
                f"nobody can be asked for {question.text}: standard input is no terminal, or --output is json",
                fix="add --yes to take every guess, or say it by its option; --dry-run shows what would be written",
            )
        click.echo(f"{question.text[:1].upper()}{question.text[1:]}?  ({question.why})", err=True)
        kind = click.Choice(question.choices) if question.choices else None
        signal.siginterrupt(signal.SIGINT, True)  # polars has set it to go on reading, and Ctrl-C to wait for a line
        answer: str = click.prompt("", default=question.default, type=kind, prompt_suffix="> ", err=True)
        return answer.strip()

    return (lambda question: question.default) if yes else ask


def _planned(survey: Survey, example: bool, root: Path, *, anew: bool) -> Planned:
    from gatewright.engine.adoption.writing import Draft, Planned, plan_files, plan_gates
    from gatewright.rules.adoption.example import example_files, example_proposal

    if example:
        model, target = survey.named()
        proposal = example_proposal(model, target, survey.repository.branch, __version__)
        drafts = [Draft(path=path, data=data, what="the example") for path, data in example_files().items()]
        return Planned(proposal=proposal, files=plan_files(root, proposal, drafts, anew=anew))
    proposal = survey.propose()
    if survey.only_gates and survey.report is not None:
        files = plan_gates(root, proposal, survey.report)
    else:
        files = plan_files(root, proposal, anew=anew)
    return Planned(proposal=proposal, files=files, report=survey.report, only_gates=survey.only_gates)


def _added(root: Path, planned: Planned, created_by: str) -> tuple[tuple[str, int, bool], ...]:
    from gatewright.cli.data_sources import source_of
    from gatewright.engine.adoption.writing import add_versions

    return add_versions(
        root,
        planned.files,
        label=planned.proposal.label,
        created_by=created_by,
        now=datetime.now(UTC).replace(microsecond=0),
        source_of=lambda kind: source_of(kind, root),
    )
