"""The model card of a version: what people say of it and what was measured, as Markdown and as HTML.

The sections follow Mitchell et al., "Model Cards for Model Reporting" (2019), section 4. Every text is foreign: names
of slices, columns and people come from data and files, and stay text in both forms.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatewright.domain.lineage import DataVersion
from gatewright.domain.project import CardSection

_UNTOLD = "Nobody has said it yet"
_MOST_SLICES = 100
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1f2933}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid #d0d7de;padding:.3rem .6rem;text-align:left}"
    "code{overflow-wrap:anywhere}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a version when it is registered; `report` and `verdict` are the bodies of the hand-offs."""

    model: str
    number: int
    digest: str
    commit: str
    trained_at: str
    run: str
    format: str
    train: DataVersion
    evaluation: DataVersion
    report: Mapping[str, Any]
    verdict: Mapping[str, Any]
    environment: Mapping[str, Any]
    words: CardSection


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One section: sentences, and perhaps a table under them."""

    title: str
    sentences: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default=())


def card_of(facts: Facts) -> tuple[str, tuple[Part, ...]]:
    """Title and sections of the card."""
    parts = (_details(facts), _use(facts.words), _data(facts), *_metrics(facts), _fairness(facts), _gates(facts))
    return f"{facts.model}, version {facts.number}", (*parts, _limits(facts))


def markdown(facts: Facts) -> str:
    """The card as Markdown."""
    title, parts = card_of(facts)
    lines = [f"# {_text(title)}"]
    for part in parts:
        lines += ["", f"## {_text(part.title)}", ""]
        lines += [line for sentence in part.sentences for line in (_text(sentence), "")]
        if part.rows:
            lines += [_row(part.head), "|" + "---|" * len(part.head), *(_row(row) for row in part.rows), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def page(facts: Facts) -> str:
    """The card as one self-contained HTML page without scripts."""
    title, parts = card_of(facts)
    body = "\n".join(line for part in parts for line in _section(part))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{_escaped(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{_escaped(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _section(part: Part) -> Iterator[str]:
    yield f"<h2>{_escaped(part.title)}</h2>"
    yield from (f"<p>{_escaped(sentence)}</p>" for sentence in part.sentences)
    if part.rows:
        yield (
            "<table><thead><tr>" + "".join(f"<th>{_escaped(cell)}</th>" for cell in part.head) + "</tr></thead><tbody>"
        )
        for row in part.rows:
            yield "<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in row) + "</tr>"
        yield "</tbody></table>"


def _details(facts: Facts) -> Part:
    words = facts.words
    return Part(
        title="Model",
        head=("what", "which"),
        rows=(
            ("digest", facts.digest),
            ("format", facts.format),
            ("task", str(facts.report["task"])),
            ("commit", facts.commit),
            ("trained", facts.trained_at),
            ("run", facts.run),
            ("Python", str(facts.environment.get("python", "not recorded"))),
            ("environment", str(facts.environment.get("digest", "not recorded"))),
            ("owners", ", ".join(words.owners) or _UNTOLD),
            ("license", words.license or _UNTOLD),
        ),
    )


def _use(words: CardSection) -> Part:
    return Part(
        title="Intended use",
        sentences=(
            words.intended_use or f"{_UNTOLD}: card.intended_use.",
            f"Out of scope: {words.out_of_scope or f'{_UNTOLD}: card.out_of_scope.'}",
        ),
    )


def _data(facts: Facts) -> Part:
    def row(role: str, version: DataVersion) -> tuple[str, ...]:
        span = f"{version.data_from:%Y-%m-%d} to {version.data_to:%Y-%m-%d}"
        return role, f"{version.name} {version.version}", f"{version.rows:,}", span, version.digest

    return Part(
        title="Data",
        head=("for", "version", "rows", "time", "digest"),
        rows=(row("training", facts.train), row("evaluation", facts.evaluation)),
    )


def _metrics(facts: Facts) -> Iterator[Part]:
    report, baseline = facts.report, facts.report["baseline"]
    key = f"overall_{report['metric']}" if f"overall_{report['metric']}" in report else report["metric"]
    latency = "latency_p99_ms"
    names = [name for name in (key, *report["metrics"], latency) if name in report]
    rows = [
        (name, _number(report[name]), _number(baseline.get(name)) if baseline else "–") for name in dict.fromkeys(names)
    ]
    told = "Compared with the version that served then." if baseline else "A first deployment: there was no baseline."
    yield Part(title="Metrics", sentences=(told,), head=("metric", "this version", "baseline"), rows=rows)
    counted, slices = report["evidence"]["slices"], report.get("slices") or {}
    listed = [
        (
            name,
            f"{counted.get(name, {}).get('rows', 0):,}",
            _number(value),
            _number(((baseline or {}).get("slices") or {}).get(name)),
        )
        for name, value in slices.items()
    ]
    if listed:
        left = len(listed) - _MOST_SLICES
        more = (f"{left} more slices stand in the evaluation report.",) if left > 0 else ()
        head = ("slice", "rows", "this version", "baseline")
        yield Part(title="Metrics by slice", sentences=more, head=head, rows=listed[:_MOST_SLICES])


def _fairness(facts: Facts) -> Part:
    groups, report = facts.report["evidence"]["groups"], facts.report
    rows = [
        (attribute, name, f"{evidence['rows']:,}")
        for attribute, values in groups.items()
        for name, evidence in values.items()
    ]
    parity = report.get("demographic_parity_diff")
    told = f"Demographic parity difference: {_number(parity)}." if parity is not None else "No attribute was judged."
    return Part(title="Fairness", sentences=(told,), head=("attribute", "group", "rows"), rows=rows)


def _gates(facts: Facts) -> Part:
    rows = [(result["gate"], result["verdict"], result["why"]) for result in facts.verdict["results"]]
    return Part(
        title="Gates",
        sentences=() if rows else ("No gate was configured.",),
        head=("gate", "verdict", "why"),
        rows=rows,
    )


def _limits(facts: Facts) -> Part:
    told = facts.words.limitations or (f"{_UNTOLD}: card.limitations.",)
    warned = [f"Warning of the evaluation: {text}" for text in facts.verdict.get("warnings", ())]
    return Part(title="Limitations", sentences=(*told, *warned))


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def _clean(text: str) -> str:
    """On one line, without signs that steer a terminal or turn the direction of writing."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _escaped(text: str) -> str:
    return html.escape(_clean(text), quote=True)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _text(foreign: str) -> str:
    """Text that stays text in Markdown: no tag, link, border, emphasis, or mention of a user."""
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", _clean(foreign)).replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"@(?=\w)", "@\u200b", escaped.replace("://", ":\u200b//"))
