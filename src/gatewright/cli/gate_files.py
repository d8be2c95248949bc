"""`gatewright gate REPORT`: the gates on report files that a team wrote itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from gatewright.cli.output import say
from gatewright.domain.errors import UnusableInput
from gatewright.domain.gate import GATE_NAMES, GateName, Judgement, Verdict
from gatewright.domain.project import GatesSection

EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3}
_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
_INDENT = " " * 24


def gate_report_files(
    report: Path,
    baseline: Path,
    skip: tuple[str, ...],
    output: str,
    gates: GatesSection | None = None,
    *,
    explain: bool = False,
) -> int:
    """Judge `report` against `baseline` by arithmetic and print each gate; `output` is `text` or `json`, None the
    default gates, and `explain` tells each in full.

    Returns 0 (pass), 1 (a gate fails) or 3 (a gate could not tell); raises UnusableInput or ReportError for 2.
    """
    from gatewright.config.reports import read_baseline, read_report
    from gatewright.rules.gates.explanation import explained
    from gatewright.rules.gates.point import judge_measures

    gates = gates or GatesSection()
    skipped = gate_names(skip)
    needed = frozenset(name for name in GATE_NAMES if getattr(gates, name) is not None) - skipped
    judgement = judge_measures(
        gates, read_report(report, needed), read_baseline(baseline), bootstrap_by=None, skip=skipped
    )
    if output == "json":
        say(as_json(judgement))
    elif explain:
        say("\n".join(explained(judgement)))
    else:
        say("\n".join(as_text(judgement)))
    return EXIT_CODES[judgement.verdict]


def as_text(judgement: Judgement) -> Iterator[str]:
    """One line per gate with its numbers, failing gates first; further failing slices on lines of their own."""
    from gatewright.rules.gates.words import further

    for result in sorted(judgement.results, key=lambda result: _ORDER.index(result.verdict)):
        yield f"{result.verdict.upper():<13} {result.gate:<9} {result.why}"
        yield from (f"{_INDENT}{text}" for text in further(result))
    for name in judgement.skipped:
        yield f"{'SKIPPED':<13} {name:<9} left out by --skip {name}"
    for warning in judgement.warnings:
        yield f"{'NOTE':<13} {warning}"
    passed = sum(result.verdict is Verdict.PASS for result in judgement.results)
    left_out = f", {len(judgement.skipped)} skipped" if judgement.skipped else ""
    end = "" if judgement.verdict is Verdict.PASS else ": the model goes no further"
    yield f"{passed} of {len(judgement.results)} gates passed{left_out}{end}"


def as_json(judgement: Judgement) -> str:
    """The judgement as one JSON document."""
    from gatewright.domain.documents import plain, pretty_json

    return pretty_json({"verdict": judgement.verdict, **plain(judgement)}).decode().rstrip("\n")


def gate_names(names: tuple[str, ...]) -> frozenset[GateName]:
    """The gates of these names; UnusableInput for one that does not exist."""
    for name in names:
        if name not in GATE_NAMES:
            raise UnusableInput(f"there is no gate {name!r} to skip", fix=f"gates: {', '.join(GATE_NAMES)}")
    return frozenset(cast("tuple[GateName, ...]", names))
