"""What `gatewright init` says when it is done."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.options import Output
from gatewright.cli.output import say, say_json, table, wrapped

if TYPE_CHECKING:
    from gatewright.engine.adoption.proposing import Survey
    from gatewright.engine.adoption.writing import Planned
    from gatewright.rules.adoption.own_report import OwnReport

SCHEMA = "data/schema.yaml"
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
        _tell_report(planned, planned.report)
    if planned.files.drafts:
        _tell_files(planned, versions, dry_run)
    _tell_gaps(survey, planned)
    if planned.files.drafts and not dry_run:
        _heading("Next")
        for line in _next_gates(planned) if planned.only_gates else _next(survey, planned, versions):
            say(f"  {line}")
        if planned.files.joint is not None:
            say("\n" + planned.files.joint)


def _tell_report(planned: Planned, report: OwnReport) -> None:
    _heading("Your own evaluation")
    say(f"  {report.why}: the gates read that report as it is, in one line of CI:")
    say(f"    {shlex.join(report.command)}")
    if planned.only_gates and not planned.files.drafts:
        _tell_lines(planned, report)
    if report.script and not report.is_written:
        say(f"  {report.report} is not there now: run {report.script} first.")
    if report.baseline is None and not planned.files.drafts:
        text = "No baseline file is there. When the report is that of the model in production, it is the first one:"
        say(wrapped(text, first="  ", rest="  "))
        say(f"    mkdir -p baselines && cp {shlex.quote(report.report)} baselines/production.json")
    if planned.only_gates:
        text = "Training is not yet what `gatewright run` needs, and without it the gates are all that Gatewright can "
        text += "do here. For the six stages see what is missing."
        say(wrapped(text, first="  ", rest="  "))


def _tell_lines(planned: Planned, report: OwnReport) -> None:
    """The lines of a job, where a file of them would be a guess."""
    why = "no CI system was found: name yours by --target"
    if report.calls is None:
        why = f"{report.script} wants words that are not known here"
    say(f"  No CI file was written: {why}. The lines of a job:")
    for words in planned.proposal.install:
        say(f"    {shlex.join(words)}")
    if report.script is not None:
        say(f"    python {shlex.quote(report.script)}" + (" …" if report.calls is None else ""))
    say(f"    {shlex.join(report.command)}")


def _next_gates(planned: Planned) -> Iterator[str]:
    report, files = planned.report, [draft.path for draft in planned.files.drafts]
    if report is not None and report.script is not None:
        yield f"python {shlex.quote(report.script)}     # as CI will: its data has to be there, in git or fetched"
    if report is not None and report.baseline is None:
        yield f"mkdir -p baselines && cp {shlex.quote(report.report)} baselines/production.json   # if it serves"
        files.append("baselines")
    yield shlex.join(["git", "add", *files])


def _tell_files(planned: Planned, versions: Versions, dry_run: bool) -> None:
    _heading("Would write" if dry_run else "Wrote")
    words = {
        "new": "",
        "changed": "written over: ",
        "appended": "a line more: ",
        "same": "as it was: ",
        "kept": "kept: ",
    }
    rows = [(draft.path, f"{words[draft.state]}{draft.what}") for draft in planned.files.drafts]
    rows += [(path, f"{count:,} rows" if new else "as it was: the same bytes") for path, count, new in versions]
    if dry_run:
        rows += [(f"data/versions/{name}/", f"the first version: {path}") for name, path, _ in planned.files.versions]
    table(rows, indent="  ")
    if planned.files.judged:
        _tell_judged(planned.files.judged, planned.proposal.id if planned.proposal.adds_id else None)
    for draft in planned.files.drafts if dry_run else ():
        if draft.path == "gatewright.yaml" or planned.only_gates:
            _heading(draft.path)
            say(draft.data.decode().rstrip("\n"))


def _tell_judged(reports: Sequence[dict[str, Any]], added: str | None) -> None:
    """What the team's own schema file says of the data; `added` is the column of ids that evaluation rows got."""
    from gatewright.web.validation_words import breach

    _heading("By your schema file")
    for report in reports:
        say(f"  {report['data']['path']}: {report['status']}, {report['rows']:,} rows")
        for found in report["violations"]:
            say(wrapped(breach(found), first="    ", rest="      "))
    extra = [found["column"] for report in reports for found in report["violations"] if found["rule"] == "extra"]
    if added is not None and added in extra:
        say(wrapped(f"Evaluation rows got ids. Below columns: in {SCHEMA} they need the line", first="  ", rest="  "))
        say(f"    {added}: {{type: string, unique: true, optional: true}}")
    if any(report["status"] == "fail" for report in reports):
        text = "A run would stop there: mend the data, or the schema file, in which nothing was changed; then "
        say(wrapped(text + "gatewright data validate NAME.", first="  ", rest="  "))


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
        "by_your_schema": [
            {"path": each["data"]["path"], "status": each["status"], "violations": each["violations"]}
            for each in planned.files.judged
        ],
        "configuration": next(
            (draft.data.decode() for draft in planned.files.drafts if draft.path == "gatewright.yaml"), None
        ),
        "data_versions": [{"path": path, "rows": rows, "new": new} for path, rows, new in versions],
        "missing": [{"what": gap.what, "fix": gap.fix} for gap in survey.gaps],
    }


def _heading(text: str) -> None:
    say("\n" + click.style(text, bold=True))
