"""`gatewright data validate`: a data version, or a file, against the schema file and a reference."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import known_runs, workspace_folder
from gatewright.cli.output import table_lines, wrapped
from gatewright.cli.report import deliver

if TYPE_CHECKING:
    from gatewright.domain.lineage import DataVersion

SCHEMA = Path("data/schema.yaml")
Form = Literal["text", "json", "markdown", "html"]


@click.command()
@click.argument("name", metavar="NAME|PATH", required=False)
@click.argument("version", required=False)
@click.option(
    "--schema", type=click.Path(path_type=Path), help="Schema file below the workspace.  [default: data/schema.yaml]"
)
@click.option(
    "--reference", metavar="NAME[@VERSION]", help="Measure drift from this version.  [default: drift.reference]"
)
@click.option("--label", metavar="COLUMN", help="The column with the true labels.  [default: that of the version]")
@click.option("--run", "run_id", metavar="RUN", help="Show what stage validate of this run found; no data is read.")
@click.option(
    "--output", type=click.Choice(["text", "json", "markdown", "html"]), default="text",
    help="text for people, json for programs, markdown for a comment, html: one page with histograms.",
)  # fmt: skip
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Write it here instead of printing it.")
@workspace_folder("data/versions; paths of data are below it")
def validate(
    name: str | None,
    version: str | None,
    schema: Path | None,
    reference: str | None,
    label: str | None,
    run_id: str | None,
    output: Form,
    file: Path | None,
    root: Path,
) -> None:
    """Judge data by the schema file: every rule with its exact count, and the drift from a recorded version.

    NAME is a data set (its latest version, or NAME@ALIAS), PATH a file or folder that need not be recorded. Exit 0 when
    all is well or only warned of, 1 with every breach.

    \b
    Examples:
      gatewright data validate acs-train
      gatewright data validate acs-train 2016 --reference acs-train@2015
      gatewright data validate data/acs/2017.parquet --output json
      gatewright data validate acs-train --output html --file validation.html
      gatewright data validate --run RUN --output html --file validation.html
    """
    if (name is None) == (run_id is None):
        raise BadCommand("say what to judge: NAME, PATH or --run RUN", fix="gatewright data validate NAME")
    if run_id is not None:
        reports = _of_run(root, run_id)
    else:
        reports = [_judged(root, name or "", version, schema or SCHEMA, reference, label)]
    deliver(_formatted(reports, output), file)
    failed = [report for report in reports if report["status"] == "fail"]
    if failed:
        from gatewright.domain.errors import StageFailed
        from gatewright.web.validation_words import told

        what = "; ".join(f"{told(report)}: {len(_breaches(report))} breaches" for report in failed)
        raise StageFailed(what, fix="mend the data, or change the schema file with a reason: docs/data.md")


def _judged(
    root: Path, name: str, version: str | None, schema: Path, given: str | None, label: str | None
) -> dict[str, Any]:
    from gatewright.domain.errors import UnusableInput
    from gatewright.engine.validation import judge_version, known_version, reference_for, validation_document
    from gatewright.store.data_versions import DataVersions
    from gatewright.store.schema_files import read_schema

    versions = DataVersions(root)
    if not (root / schema).is_file():
        raise UnusableInput(f"there is no schema file {schema}", fix="write one: docs/data.md, The schema file")
    rules = read_schema(root / schema)
    is_path = version is None and not versions.has(name.partition("@")[0]) and not name.endswith(".yaml")
    if is_path and not (root / name).exists():
        raise UnusableInput(f"{name} is neither a data set nor a path", fix="gatewright data list shows the sets")
    found = None if is_path else known_version(versions, name, version)
    reference = reference_for(versions, rules, found, given)
    with _bytes(root, name, found) as path:
        judged = judge_version(
            versions, rules, found, path, label=label or (found.labels if found else None), reference=reference
        )
    return validation_document(judged, found, name)


@contextmanager
def _bytes(root: Path, name: str, version: DataVersion | None) -> Iterator[Path]:
    """Where the table is: the path itself, or the proven bytes of the version."""
    if version is None:
        yield root / name
        return
    from gatewright.cli.data_sources import source_of

    scratch = root / ".gatewright"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="data-validate-", dir=scratch) as folder:
        yield source_of(version.kind, root).read(version, Path(folder))


def _of_run(root: Path, run_id: str) -> list[dict[str, Any]]:
    from gatewright.domain.errors import UnusableInput
    from gatewright.store.runs import VALIDATION

    found = known_runs(root).get(run_id).read(VALIDATION)
    if found is None or not found.body.get("data"):
        raise UnusableInput(f"run {run_id} has no report on its data", fix="gatewright validate comes first")
    return list(found.body["data"].values())


def _breaches(report: dict[str, Any]) -> list[Any]:
    drift = report["drift"]
    return [*report["violations"], *(each for each in (drift["columns"] if drift else ()) if each["status"] == "fail")]


def _formatted(reports: list[dict[str, Any]], output: Form) -> str:
    match output:
        case "json":
            document = reports[0] if len(reports) == 1 else reports
            return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        case "html":
            from gatewright.web.validation_html import validation_html

            return validation_html(reports)
        case "markdown":
            from gatewright.web.validation_markdown import validation_markdown

            return "\n".join(map(validation_markdown, reports))
    return "\n\n".join("\n".join(_lines(report)) for report in reports)


def _lines(report: dict[str, Any]) -> Iterator[str]:
    from gatewright.web.validation_words import breach, cautions, drift_rows, told

    yield f"{told(report)}: {report['status']}, {report['rows']:,} rows"
    for found in report["violations"]:
        yield wrapped(breach(found), first="  ", rest="    ")
        rows = found["example_rows"]
        if rows:
            names = list(rows[0])
            yield from table_lines([[row[name] for name in names] for row in rows[:5]], head=names, indent="      ")
    drift = report["drift"]
    if drift is not None:
        mean = f", mean PSI {drift['psi']:.3f}" if drift["psi"] is not None else ""
        yield f"drift from {drift['reference']}: {drift['status']}{mean}"
        if drift["label_rate"]:
            yield "  label rate {:.4f} → {:.4f}".format(*drift["label_rate"])
        yield from table_lines(drift_rows(drift), head=("COLUMN", "STATUS", "PSI", "NEW", "MISSING"), indent="  ")
    for line in cautions(report):
        yield wrapped(line, first="  note: ", rest="    ")
