"""Options that the commands of `gatewright evalset` share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gatewright.engine.evalsets.sampling import Request
    from gatewright.engine.evalsets.traffic import Source
    from gatewright.rules.labelling.queue import Deal
    from gatewright.store.samples import Samples
    from gatewright.workspace import Workspace


def moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    """A time as an option has it; one without a zone is UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time: write 2026-06-30 or 2026-06-30T12:00:00Z") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _together(command: Any, options: list[Any]) -> Any:
    for option in reversed(options):
        command = option(command)
    return command


def source_options(command: Any) -> Any:
    """Where the traffic is, and from when to when."""
    return _together(
        command,
        [
            click.option(
                "--from",
                "source",
                default="log",
                show_default=True,
                metavar="SOURCE",
                help="log: the prediction log; or a .parquet or .csv file; or a data set of role traffic, "
                "perhaps NAME@VERSION.",
            ),
            click.option("--since", callback=moment, metavar="TIME", help="Nothing earlier; of a table: it begins."),
            click.option("--until", callback=moment, metavar="TIME", help="Nothing later; of a table: it ends."),
            click.option("--time", metavar="COLUMN", help="The column of a table that says when a row was."),
        ],
    )


def design_options(command: Any) -> Any:
    """How rows are drawn."""
    from gatewright.rules.labelling.sampling import BIASED

    return _together(
        command,
        [
            click.option("--rows", default=1000, show_default=True, help="How many rows to label."),
            click.option("--stratify", multiple=True, metavar="COLUMN", help="Draw from each value; may be repeated."),
            click.option(
                "--allocation",
                type=click.Choice(["proportional", "neyman", *BIASED]),
                default="proportional",
                show_default=True,
                help="neyman: more rows where the model is unsure. The last two are refused, with the reason.",
            ),
            click.option(
                "--uncertainty",
                metavar="COLUMN",
                help="The chance of an error.  [default: production is asked]",
            ),
            click.option("--probability", metavar="COLUMN", help="Instead: the probability of the positive class."),
            click.option("--random-share", default=0.3, show_default=True, help="Purely random part, at least 0.3."),
            click.option("--seed", default=0, show_default=True, help="Another seed draws other rows."),
        ],
    )


def deal_options(command: Any) -> Any:
    """What annotators get."""
    return _together(
        command,
        [
            click.option(
                "--format",
                "form",
                type=click.Choice(["csv", "jsonl", "label-studio"]),
                default="csv",
                show_default=True,
                help="label-studio: its tasks as JSON.",
            ),
            click.option("--batch-size", default=0, show_default=True, help="Rows a file; 0: all in one."),
            click.option("--annotators", default=1, show_default=True, help="A file for each of so many people."),
            click.option("--overlap", default=1.0, show_default=True, help="The share of the rows that all get."),
            click.option("--include-personal", is_flag=True, help="Also columns that the schema file marks personal."),
        ],
    )


def terms_options(command: Any) -> Any:
    """How labels are taken over."""
    from gatewright.cli.options import actor_option

    return _together(
        command,
        [
            click.option(
                "--resolve",
                default="majority",
                show_default=True,
                metavar="HOW",
                help="Where people disagree: majority, median, or annotator:NAME.",
            ),
            click.option(
                "--missing",
                type=click.Choice(["refuse", "reweight"]),
                default="refuse",
                show_default=True,
                help="reweight: the labelled rows of a stratum stand for the others.",
            ),
            actor_option("--created-by", "created_by", "Who adds the version."),
        ],
    )


sample_option = click.option("--sample", "name", metavar="SAMPLE", help="Which sample.  [default: the newest]")
state_option = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where samples are kept.  [default: .gatewright/evalset]",
)


def source_of(told: dict[str, Any]) -> Source:
    """The traffic that the options name; what belongs to them is taken out of `told`."""
    from gatewright.engine.evalsets.traffic import Source as TrafficSource

    return TrafficSource(
        name=told.pop("source"), since=told.pop("since"), until=told.pop("until"), time=told.pop("time")
    )


def request_of(told: dict[str, Any]) -> Request:
    """The sample that the options ask for; UnusableInput for one that would be biased."""
    from gatewright.domain.errors import UnusableInput
    from gatewright.engine.evalsets.sampling import Request as SampleRequest
    from gatewright.engine.evalsets.uncertainty import Asked
    from gatewright.rules.labelling.sampling import Design, check_method

    allocation, unsure, probability = told.pop("allocation"), told.pop("uncertainty"), told.pop("probability")
    check_method(allocation)
    if unsure and probability:
        raise UnusableInput("--uncertainty and --probability say the same in two ways", fix="name one column")
    column = unsure or probability
    return SampleRequest(
        design=Design(
            rows=told.pop("rows"),
            columns=tuple(told.pop("stratify")),
            allocation=allocation,
            random_share=told.pop("random_share"),
            seed=told.pop("seed"),
        ),
        source=source_of(told),
        asked=Asked(column=column, probability=probability is not None) if column else None,
    )


def deal_of(told: dict[str, Any]) -> Deal:
    """What the options say of the files for annotators."""
    from gatewright.rules.labelling.queue import Deal as FileDeal

    return FileDeal(
        form=told.pop("form"),
        batch=told.pop("batch_size"),
        annotators=told.pop("annotators"),
        overlap=told.pop("overlap"),
        include_personal=told.pop("include_personal"),
    )


def samples_of(workspace: Workspace, state: Path | None) -> Samples:
    """The samples for the evaluation set of this model."""
    from gatewright.store.samples import FOLDER
    from gatewright.store.samples import Samples as SampleFolders

    return SampleFolders((state or workspace.root / FOLDER) / workspace.project.data.evaluation)
