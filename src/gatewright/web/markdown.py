"""A run as one page of Markdown: what was decided, why, and on which numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gatewright.domain.documents import short
from gatewright.domain.rollout import DeploymentRecord
from gatewright.store.runs import Handoff

_WORST = 8
_MARKS = {"pass": "✅", "fail": "❌", "inconclusive": "❔"}
_TITLES = {"promoted": "promoted", "rolled_back": "rolled back", "stopped": "stopped", "aborted": "given up"}


def run_markdown(run: str, handoffs: Mapping[str, Handoff], records: Sequence[DeploymentRecord]) -> str:
    """The report of one run, from whatever hand-offs it has so far; `records` are those that name it, oldest first."""
    sections = [
        "\n".join(_headline(run, handoffs, records)),
        "\n".join(_stages(handoffs)),
        "\n".join(_gates(handoffs.get("verdict"))),
        "\n".join(_slices(handoffs.get("evaluation-report"))),
        "\n".join(_lineage(handoffs)),
        "\n".join(_events(records)),
        "\n".join(_warnings(handoffs)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _headline(run: str, handoffs: Mapping[str, Handoff], records: Sequence[DeploymentRecord]) -> Iterator[str]:
    end = next((record for record in records if record.kind in _TITLES), None)
    lock = handoffs["lock"].body
    state = _TITLES[end.kind] if end else "open"
    yield f"# {lock['model']}: {state}"
    yield ""
    if end:
        yield f"{_sentence(end.why)} _({end.at:%Y-%m-%d %H:%M:%S} UTC, by {end.actor})_"
        yield ""
    yield f"Run `{run}`, because " + "; ".join(lock["reasons"]) + "."


def _stages(handoffs: Mapping[str, Handoff]) -> Iterator[str]:
    yield "## Stages"
    yield ""
    yield from _table(
        ("stage", "status", "seconds"),
        [
            (handoff.stage, handoff.status, f"{(handoff.ended_at - handoff.started_at).total_seconds():.1f}")
            for name, handoff in handoffs.items()
            if name not in ("lock", "deployment-record")
        ],
    )


def _gates(verdict: Handoff | None) -> Iterator[str]:
    if verdict is None:
        return
    yield "## Gates"
    yield ""
    rows = [(_MARKS[result["verdict"]], result["gate"], result["why"]) for result in verdict.body["results"]]
    rows += [("⏭️", name, "left out by request") for name in verdict.body.get("skipped", ())]
    yield from _table(("", "gate", "why"), rows)


def _slices(report: Handoff | None) -> Iterator[str]:
    """The slices that changed most for the worse, with their rows."""
    if report is None or not report.body["baseline"]:
        return
    baseline = report.body["baseline"]["slices"]
    counts = report.body["evidence"]["slices"]
    changes = sorted((accuracy - baseline[name], name) for name, accuracy in report.body["slices"].items())
    yield "## Slices, worst change first"
    yield ""
    rows = [
        (
            name,
            f"{counts[name]['rows']:,}",
            f"{baseline[name]:.4f}",
            f"{report.body['slices'][name]:.4f}",
            f"{change:+.4f}",
        )
        for change, name in changes[:_WORST]
    ]
    overall = report.body["overall_accuracy"] - report.body["baseline"]["overall_accuracy"]
    rows.append(
        (
            "**all rows**",
            f"{report.body['evidence']['overall']['rows']:,}",
            f"{report.body['baseline']['overall_accuracy']:.4f}",
            f"{report.body['overall_accuracy']:.4f}",
            f"{overall:+.4f}",
        )
    )
    yield from _table(("slice", "rows", "baseline", "candidate", "change"), rows)


def _lineage(handoffs: Mapping[str, Handoff]) -> Iterator[str]:
    lock = handoffs["lock"].body
    yield "## Made from"
    yield ""
    rows = [
        ("training data", f"`{lock['train']['name']}` {lock['train']['version']}", f"{lock['train']['rows']:,} rows"),
        (
            "evaluation data",
            f"`{lock['evaluation']['name']}` {lock['evaluation']['version']}",
            f"{lock['evaluation']['rows']:,} rows",
        ),
        ("commit", f"`{lock['commit'][:12]}`", ""),
        ("configuration", f"`{short(lock['config'])}`", ""),
    ]
    if candidate := handoffs.get("candidate"):
        rows.append(("model", f"`{short(candidate.outputs['artifact'])}`", ""))
    if version := handoffs.get("version"):
        rows.append(("registered as", f"version {version.body['version']['number']}", ""))
    yield from _table(("what", "which", "size"), rows)


def _events(records: Sequence[DeploymentRecord]) -> Iterator[str]:
    if not records:
        return
    yield "## Records"
    yield ""
    yield from _table(
        ("when (UTC)", "what", "why"),
        [(f"{record.at:%H:%M:%S}", record.kind.replace("_", " "), record.why) for record in records],
    )


def _warnings(handoffs: Mapping[str, Handoff]) -> Iterator[str]:
    told = [text for handoff in handoffs.values() for text in handoff.body.get("warnings", ())]
    if told:
        yield "## Warnings"
        yield ""
        yield from (f"- {text}" for text in dict.fromkeys(told))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(_cell(text) for text in row) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def _sentence(text: str) -> str:
    first = text.partition("\n")[0]
    return first[:1].upper() + first[1:] + "."
