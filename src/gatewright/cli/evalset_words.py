"""What `gatewright evalset` says: samples, agreement, findings, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.output import table_lines

if TYPE_CHECKING:
    from gatewright.domain.labelling import Agreement, Finding, SampleFacts
    from gatewright.domain.lineage import DataVersion
    from gatewright.engine.evalsets.checking import Checked

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "unknown": "yellow"}
_STRATA = ("STRATUM", "TRAFFIC", "DRAWN", "RANDOM", "WEIGHT", "SPREAD")
EXIT_CODES = {"pass": 0, "warn": 0, "fail": 1, "unknown": 3}


def sample_lines(facts: SampleFacts) -> Iterator[str]:
    """The sample, stratum by stratum."""
    window = f"{facts.window_from:%Y-%m-%d} to {facts.window_to:%Y-%m-%d}"
    how = f"{facts.allocation}, seed {facts.seed}"
    yield f"sample {facts.id}: {facts.rows:,} of {facts.traffic_rows:,} rows, {window}, {how}"
    yield f"from {facts.source}"
    rows = [
        (
            each.name,
            f"{each.traffic:,}",
            f"{each.sampled:,}",
            f"{each.random:,}",
            f"{each.traffic / each.sampled:.2f}" if each.sampled else "–",
            "–" if each.spread is None else f"{each.spread:.3f}",
        )
        for each in facts.strata
    ]
    yield from table_lines(rows, head=_STRATA)


def agreement_lines(agreement: Agreement, disputed: int) -> Iterator[str]:
    """How much the annotators agree, with the coefficients that are defined."""
    people = len(agreement.annotators)
    if not agreement.rows:
        told = "1 annotator" if people == 1 else f"{people} annotators"
        yield f"{told}, no row labelled twice: nothing is known of their agreement"
        return
    known = {
        "equal pairs": None if agreement.percent is None else f"{agreement.percent:.1%}",
        "Cohen's kappa": _number(agreement.cohen),
        "Fleiss' kappa": _number(agreement.fleiss),
        "Krippendorff's alpha": _number(agreement.krippendorff),
    }
    words = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
    yield f"{people} annotators on {agreement.rows:,} rows, {disputed:,} disputed: {words}"


def rescored_lines(found: Mapping[str, Any] | None) -> Iterator[str]:
    """Production on the new and on the old set: two sets, not two models."""
    new, old = (found or {}).get("new"), (found or {}).get("old")
    if new is None:
        yield "production: nothing serves yet"
        return
    yield f"production on the new set: {_score(new)}"
    if old is not None:
        yield f"production on the old set: {_score(old)}; the rows differ, not the model: never compare across sets"


def finding_lines(checked: Checked) -> Iterator[str]:
    """One line a check, coloured."""
    version = checked.version
    yield f"{version.name} {version.version}: {version.rows:,} rows"
    yield from findings_in_words(checked.findings)
    yield from leaked_lines(checked.leaked)


def findings_in_words(findings: Any) -> Iterator[str]:
    """The findings, from memory or as they were kept."""
    rows = [
        (click.style(state.upper(), fg=_COLOURS.get(state)), check, what)
        for check, state, what in (_parts(finding) for finding in findings)
    ]
    yield from table_lines(rows)


def leaked_lines(leaked: Any, most: int = 10) -> Iterator[str]:
    """The ids of the first rows that stand in the training data."""
    if leaked:
        more = f" and {len(leaked) - most:,} more (--output json names all)" if len(leaked) > most else ""
        yield f"in the training data: {', '.join(leaked[:most])}{more}"


def markdown(checked: Checked) -> str:
    """The findings as a table for a comment or a summary."""
    version = checked.version
    lines = [
        f"### Evaluation set {version.name} {version.version}: {checked.state}",
        "",
        "| | check | finding |",
        "|---|---|---|",
        *(f"| {finding.state} | {finding.check} | {_cell(finding.what)} |" for finding in checked.findings),
    ]
    if checked.leaked:
        lines += ["", *leaked_lines(checked.leaked)]
    return "\n".join(lines)


def next_lines(version: DataVersion, root: Path, weight: str | None) -> Iterator[str]:
    """What to commit, and what gatewright.yaml has to say."""
    pointer = f"data/versions/{version.name}/{version.version}.yaml"
    yield f"Commit it: git add {pointer}; its bytes: {version.uri}"
    column, stratum = version.lineage.get("weight"), version.lineage.get("stratum")
    if column is not None and weight != column:
        words = f"evaluation: {{weight: {column}, stratum: {stratum}}}"
        yield f"Write into gatewright.yaml, or no gate will take it: {words}"


def _parts(finding: Finding | Mapping[str, Any]) -> tuple[str, str, str]:
    if isinstance(finding, Mapping):
        return finding["check"], finding["state"], finding["what"]
    return finding.check, finding.state, finding.what


def _score(found: Mapping[str, Any]) -> str:
    rows = f"{found['rows']:,} rows"
    if round(found["effective_rows"]) != found["rows"]:
        rows += f", worth {found['effective_rows']:,.0f}"
    interval = f"{found['level']:.0%} interval {found['low']:.4f} to {found['high']:.4f}"
    return f"{found['metric'].replace('_', ' ')} {found['value']:.4f}, {interval} ({rows})"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
