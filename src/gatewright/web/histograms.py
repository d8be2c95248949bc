"""The histogram of one column, reference and now beside each other, as inline SVG. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatewright.web.charts import FAINT, GRID
from gatewright.web.svg import document, line, safe, text

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 860, 190, 56, 30, 44
_BEFORE, _NOW = "#8a97a5", "#1763b6"
_LONGEST = 12


def histogram(name: str, cells: Sequence[Mapping[str, Any]]) -> str:
    """Shares of the rows in each cell; cells that are empty on both sides and lie at an end are left out."""
    shown = [
        cell for cell in cells if cell["before"] or cell["now"] or not cell["name"].startswith(("(", "above", "below"))
    ]
    before, now = (max(sum(cell[side] for cell in cells), 1) for side in ("before", "now"))
    shares = [(cell["name"], cell["before"] / before, cell["now"] / now) for cell in shown]
    top = max([share for _, *both in shares for share in both] + [1e-9])
    slot = (_WIDTH - _LEFT - 10) / max(len(shares), 1)
    body = [_grid(top)]
    for index, (label, old, new) in enumerate(shares):
        x = _LEFT + index * slot
        body.append(_bar(x + slot * 0.1, slot * 0.4, old / top, "reference", _BEFORE, f"{label}: {old:.2%} before"))
        body.append(_bar(x + slot * 0.5, slot * 0.4, new / top, "candidate", _NOW, f"{label}: {new:.2%} now"))
        if len(shares) <= _LONGEST or index % 4 == 0:
            short = label if len(label) <= _LONGEST + 4 else label[: _LONGEST + 3] + "…"
            body.append(text(x + slot / 2, _HEIGHT - _BOTTOM + 16, short, "faint", FAINT, "middle", size=11))
    body.append(_legend())
    described = "; ".join(f"{label}: {old:.1%} before, {new:.1%} now" for label, old, new in shares)
    return document(f"{name}: reference and now", described, _WIDTH, _HEIGHT, "".join(body))


def _grid(top: float) -> str:
    parts = []
    for part in (0.0, 0.5, 1.0):
        y = _y(part)
        parts.append(line(_LEFT, _WIDTH - 10, y, y, "grid", GRID))
        parts.append(text(_LEFT - 6, y + 4, f"{part * top:.1%}", "faint", FAINT, "end", size=11))
    return "".join(parts)


def _bar(x: float, width: float, part: float, name: str, colour: str, told: str) -> str:
    y = _y(part)
    height = _HEIGHT - _BOTTOM - y
    return (
        f'<rect class="bar {name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}">'
        f"<title>{safe(told)}</title></rect>"
    )


def _legend() -> str:
    parts = []
    for index, (word, colour) in enumerate((("reference", _BEFORE), ("now", _NOW))):
        x = _LEFT + 90 * index
        parts.append(
            f'<rect x="{x}" y="8" width="10" height="10" fill="{colour}"/>' + text(x + 15, 17, word, "faint", FAINT)
        )
    return "".join(parts)


def _y(part: float) -> float:
    return _TOP + (1 - part) * (_HEIGHT - _TOP - _BOTTOM)
