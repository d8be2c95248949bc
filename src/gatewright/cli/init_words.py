"""What `gatewright init` says when it is done."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gatewright.cli.options import Output
from gatewright.cli.output import say, say_json, table, wrapped

if TYPE_CHECKING:
    from gatewright.engine.adoption.proposing import Survey
    from gatewright.engine.adoption.writing import Planned
    from gatewright.rules.adoption.own_report import OwnReport

Versions = tuple[tuple[str, int, bool], ...]


def tell(survey: Survey, planned: Planned, versions: Versions, *, dry_run: bool, output: Output) -> None:
    """What was found, written, is missing, and comes next; with `dry_run` also the configuration itself."""
    if output == "json":
        say_json(_document(survey, planned, versions, dry_run))
        return
    repository = survey.repository
    more = ", and more that were not looked at" if repository.truncated else ""
    where = "in git" if repository.is_git else "no git repository"
    say(f"{repository.name}: {len(repository.files):,} files{more}, {where}")
    shown = [seen for seen in survey.seen if seen.what != "command"]
    table([(seen.what, seen.value + ("" if seen.sure else " ?"), seen.why) for seen in shown], indent="  ")
    width = max(len(seen.what) for seen in survey.seen)
    for seen in survey.seen:
        if seen.what == "command":
            say(wrapped(seen.value, first=f"  {'command':<{width}}  ", rest=" " * (width + 4)))
    if not all(seen.sure for seen in shown):
        say("  ? is a guess that nobody confirmed: say it by its option if it is wrong, gatewright init --help")
    if planned.report is not None:
        _tell_report(planned.report, alone=not planned.files.drafts)
    if planned.files.drafts:
        _tell_files(planned, versions, dry_run)
    _tell_gaps(survey, planned)
    if planned.files.drafts and not dry_run:
        _heading("Next")
        for line in _next(survey, planned, versions):
            say(f"  {line}")
        if planned.files.joint is not None:
            say("\n" + planned.files.joint)


def _tell_report(report: OwnReport, *, alone: bool) -> None:
    _heading("Your own evaluation")
    say(f"  {report.why}: the gates read that report as it is, in one line of CI:")
    say(f"    {shlex.join(report.command)}")
    if report.script and not report.is_written:
        say(f"  {report.report} is not there now: run {report.script} first.")
    if report.baseline is None:
        text = "No baseline file is there. When the report is that of the model in production, it is the first one:"
        say(wrapped(text, first="  ", rest="  "))
        say(f"    mkdir -p baselines && cp {shlex.quote(report.report)} baselines/production.json")
    if alone:
        text = "Nothing was written: training is not yet what `gatewright run` needs, and without it the gates are all "
        text += "that Gatewright can do here. For the six stages see what is missing."
        say(wrapped(text, first="  ", rest="  "))


def _tell_files(planned: Planned, versions: Versions, dry_run: bool) -> None:
    _heading("Would write" if dry_run else "Wrote")
    words = {"new": "", "changed": "written over: ", "appended": "a line more: ", "same": "as it was: "}
    rows = [(draft.path, f"{words[draft.state]}{draft.what}") for draft in planned.files.drafts]
    rows += [(path, f"{count:,} rows" if new else "as it was: the same bytes") for path, count, new in versions]
    if dry_run:
        rows += [(f"data/versions/{name}/", f"the first version: {path}") for name, path, _ in planned.files.versions]
    table(rows, indent="  ")
    if dry_run:
        config = next(draft for draft in planned.files.drafts if draft.path == "gatewright.yaml")
        _heading("gatewright.yaml")
        say(config.data.decode().rstrip("\n"))


def _tell_gaps(survey: Survey, planned: Planned) -> None:
    if not survey.gaps:
        return
    _heading("Missing")
    for number, gap in enumerate(survey.gaps, start=1):
        say(wrapped(gap.what, first=f"  {number}. ", rest="     "))
        say(wrapped(gap.fix, first="     do: ", rest="         "))
    if any("signature.json" in gap.what for gap in survey.gaps):
        from gatewright.rules.adoption.snippet import signature_lines

        _heading("Lines for signature.json, with `features` your table of inputs (pandas), `output_dir` a Path")
        for line in signature_lines(planned.proposal).splitlines():
            say(f"    {line}".rstrip())


def _next(survey: Survey, planned: Planned, versions: Versions) -> Iterator[str]:
    if not survey.repository.is_git:
        yield "git init                                # data versions and the pipeline live in git"
    yield "gatewright config check                 # then read gatewright.yaml and data/schema.yaml"
    parts = [draft.path for draft in planned.files.drafts if draft.path.endswith((".csv", ".parquet"))]
    others = [draft.path for draft in planned.files.drafts if draft.path not in parts]
    yield shlex.join(["git", "add", *others, *(["data/versions"] if versions else [])])
    if parts:
        yield f"{shlex.join(['git', 'add', *parts])}   # or put them where CI finds them: docs/data.md"
    if versions and planned.proposal.command:
        yield "gatewright run --bootstrap-by NAME      # the first deployment: somebody has to allow it"
    elif not versions:
        yield "gatewright data add NAME PATH           # as soon as there is data"


def _document(survey: Survey, planned: Planned, versions: Versions, dry_run: bool) -> dict[str, object]:
    report = planned.report
    return {
        "dry_run": dry_run,
        "found": [{"what": seen.what, "value": seen.value, "why": seen.why, "sure": seen.sure} for seen in survey.seen],
        "own_report": {"command": list(report.command), "baseline": report.baseline} if report else None,
        "files": [
            {"path": draft.path, "state": draft.state, "what": draft.what, "bytes": len(draft.data)}
            for draft in planned.files.drafts
        ],
        "configuration": next(
            (draft.data.decode() for draft in planned.files.drafts if draft.path == "gatewright.yaml"), None
        ),
        "data_versions": [{"path": path, "rows": rows, "new": new} for path, rows, new in versions],
        "missing": [{"what": gap.what, "fix": gap.fix} for gap in survey.gaps],
    }


def _heading(text: str) -> None:
    say("\n" + click.style(text, bold=True))
