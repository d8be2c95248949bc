"""`gatewright evalset`: evaluation sets that follow production."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.evalset_options import (
    deal_of,
    deal_options,
    design_options,
    request_of,
    sample_option,
    samples_of,
    source_of,
    source_options,
    state_option,
    terms_options,
)
from gatewright.cli.failures import CommandGroup
from gatewright.cli.options import Output, opened, output_option, workspace_option
from gatewright.cli.output import say, say_json

if TYPE_CHECKING:
    from gatewright.engine.evalsets.refreshing import Refreshed
    from gatewright.ports import Progress
    from gatewright.workspace import Workspace

_WAITING = 6
_SKIPPABLE = ("age", "weights", "psi", "separation", "leakage")
skip_option = click.option(
    "--skip", multiple=True, type=click.Choice(_SKIPPABLE), help="Leave a check out; may be repeated."
)


@click.group(name="evalset", cls=CommandGroup)
def evalset() -> None:
    """Evaluation sets that follow production: drawn from traffic with weights, labelled, imported, checked.

    \b
    Examples:
      gatewright evalset refresh --rows 2000 --allocation neyman
      gatewright evalset refresh --if-due          for schedules: does nothing while the set is young
      gatewright evalset check
      gatewright evalset check --format markdown >> "$GITHUB_STEP_SUMMARY"
    """


@evalset.command()
@design_options
@source_options
@state_option
@workspace_option
@output_option
def sample(root: Path, output: Output, state: Path | None, **told: Any) -> None:
    """Draw rows of production traffic for labelling: stratified, each with its weight, a part purely random.

    The same arguments on the same traffic give the same sample. Nothing leaves the workspace.

    \b
    Examples:
      gatewright evalset sample --rows 2000 --stratify SEX
      gatewright evalset sample --rows 2000 --allocation neyman
      gatewright evalset sample --from traffic.parquet --time at --rows 500
      gatewright evalset sample --from acs-traffic@2026-06 --rows 500
    """
    from gatewright.cli.evalset_words import sample_lines
    from gatewright.domain.documents import plain
    from gatewright.engine.evalsets.sampling import take_sample

    request = request_of(told)
    workspace = opened(root)
    folder, facts, new = take_sample(workspace, samples_of(workspace, state), request, _progress(output))
    if output == "json":
        say_json({"new": new, "path": str(folder.path), **plain(facts)})
        return
    say("\n".join(sample_lines(facts)))
    say("Label it: gatewright evalset export" if new else "the same sample: nothing changed")


@evalset.command()
@sample_option
@deal_options
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="Where.  [default: the sample's export/]")
@state_option
@workspace_option
@output_option
def export(root: Path, output: Output, state: Path | None, name: str | None, to: Path | None, **told: Any) -> None:
    """Write a sample's rows for annotators, without weights, predictions and personal columns.

    \b
    Examples:
      gatewright evalset export
      gatewright evalset export --annotators 2 --overlap 0.2 --batch-size 200
      gatewright evalset export --format label-studio --to queue
    """
    from gatewright.engine.evalsets.exporting import export as exported

    workspace = opened(root)
    folder = samples_of(workspace, state).choose(name)
    target, written = exported(folder, deal_of(told), to)
    if output == "json":
        files = [{"path": str(target / batch.name), "rows": batch.rows} for batch in written]
        say_json({"sample": folder.id, "files": files, "labels": str(folder.labels)})
        return
    for batch in written:
        say(f"{target / batch.name}  {batch.rows:,} rows")
    say(f"Then: gatewright evalset import FILE…, or lay the labelled files into {folder.labels} and refresh")


@evalset.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@sample_option
@terms_options
@state_option
@workspace_option
@output_option
def import_(
    root: Path, output: Output, state: Path | None, name: str | None, files: tuple[Path, ...], **told: Any
) -> None:
    """Take over labelled FILES (CSV, JSON Lines, Label Studio's JSON export) as a new evaluation version.

    Unknown ids, labels that the schema does not allow, contradictions, ties and missing labels are told all at once,
    and nothing is written. The same files again change nothing.

    \b
    Examples:
      gatewright evalset import labelled/*.csv
      gatewright evalset import a1.csv a2.csv --resolve annotator:a1
    """
    from gatewright.cli.evalset_words import agreement_lines, next_lines
    from gatewright.domain.documents import plain
    from gatewright.engine.evalsets.importing import Terms, import_labels

    workspace = opened(root)
    folder = samples_of(workspace, state).choose(name)
    found = import_labels(workspace, folder, [path.resolve() for path in files], Terms(**told))
    version = found.version
    if output == "json":
        say_json({"new": found.new, "sample": folder.id, "version": version.version, **plain(_worth(found))})
        return
    say(f"{version.name} {version.version}: {version.rows:,} rows" + ("" if found.new else ", the same as before"))
    say("\n".join(agreement_lines(found.agreement, found.disputed)))
    say("\n".join(next_lines(version, workspace.root, workspace.project.evaluation.weight)))


@evalset.command()
@click.argument("version", required=False)
@click.option("--against", metavar="VERSION", help="A version of the training data.  [default: the latest]")
@source_options
@skip_option
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", help="How to say it."
)
@workspace_option
@output_option
@click.pass_context
def check(
    context: click.Context,
    /,
    root: Path,
    output: Output,
    form: str,
    version: str | None,
    against: str | None,
    skip: tuple[str, ...],
    **told: Any,
) -> None:
    """Is VERSION of the evaluation set (by default the latest) young, weighed, like the traffic, and not in training?

    Exit 0: it is, perhaps with warnings; 1: it is not; 3: something could not be told.

    \b
    Examples:
      gatewright evalset check
      gatewright evalset check --from acs-traffic --skip leakage
      gatewright evalset check 2026-06 --output json
    """
    from gatewright.cli.evalset_words import EXIT_CODES, finding_lines, markdown
    from gatewright.engine.evalsets.checking import Subject
    from gatewright.engine.evalsets.checking import check as checked
    from gatewright.engine.evalsets.refreshing import document
    from gatewright.rules.fitness.likeness import Limits

    subject = Subject(
        source=source_of(told), limits=Limits(), evaluation=version, training=against, skip=frozenset(skip)
    )
    quiet: Output = "json" if form != "text" else output
    found = checked(opened(root), subject, _progress(quiet))
    if output == "json" or form == "json":
        say_json(document(found))
    elif form == "markdown":
        say(markdown(found))
    else:
        say("\n".join(finding_lines(found)))
    context.exit(EXIT_CODES[found.state])


@evalset.command()
@click.option("--if-due", is_flag=True, help="Do nothing while the latest set is younger than 76 days; exit 0.")
@design_options
@source_options
@deal_options
@terms_options
@skip_option
@state_option
@workspace_option
@output_option
@click.pass_context
def refresh(
    context: click.Context,
    /,
    root: Path,
    output: Output,
    state: Path | None,
    if_due: bool,
    skip: tuple[str, ...],
    **told: Any,
) -> None:
    """The whole way, step by step: sample, export, wait for labels, import, score production on it, check.

    Call it again after each step of yours: what is done is not done again. Exit 6: it waits for labelled files in the
    sample's folder labels/. At the end it says what to commit; exit 1 or 3 when the new set does not pass its checks.

    \b
    Examples:
      gatewright evalset refresh --rows 2000 --allocation neyman --annotators 2 --overlap 0.2
      gatewright evalset refresh --if-due
    """
    from gatewright.cli.evalset_words import EXIT_CODES
    from gatewright.engine.evalsets.importing import Terms
    from gatewright.engine.evalsets.refreshing import Order, not_due
    from gatewright.engine.evalsets.refreshing import refresh as refreshed

    request = request_of(told)
    order = Order(request=request, deal=deal_of(told), terms=Terms(**told), skip=frozenset(skip))
    workspace = opened(root)
    samples = samples_of(workspace, state)
    if if_due and (why := not_due(workspace, samples)):
        say_json({"due": False, "why": why}) if output == "json" else say(why)
        return
    found = refreshed(workspace, samples, order, _progress(output))
    _tell(workspace, found, output)
    context.exit(_WAITING if found.waiting else EXIT_CODES[(found.checked or {})["state"]])


def _tell(workspace: Workspace, found: Refreshed, output: Output) -> None:
    from gatewright.cli import evalset_words as words
    from gatewright.domain.documents import plain
    from gatewright.domain.labelling import Agreement

    if output == "json":
        document = {name: getattr(found, name) for name in ("waiting", "exported", "answers", "rescored", "checked")}
        say_json(plain({"sample": found.facts, "path": str(found.folder.path), **document}))
        return
    say("\n".join(words.sample_lines(found.facts)))
    if found.waiting or found.version is None or found.answers is None or found.checked is None:
        say(f"exported: {', '.join(found.exported)} in {found.folder.export}")
        say(f"waiting for labels: lay the labelled files into {found.folder.labels} and call refresh again")
        return
    agreement = {**found.answers["agreement"], "annotators": tuple(found.answers["agreement"]["annotators"])}
    say("\n".join(words.agreement_lines(Agreement(**agreement), found.answers["disputed"])))
    say("\n".join(words.rescored_lines(found.rescored)))
    say("\n".join(words.findings_in_words(found.checked["findings"])))
    for line in words.leaked_lines(found.checked["leaked"]):
        say(line)
    say("\n".join(words.next_lines(found.version, workspace.root, workspace.project.evaluation.weight)))


def _worth(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("agreement", "disputed", "missing")}


def _progress(output: Output) -> Progress:
    from gatewright.cli.render import progress_for

    return progress_for(output)
