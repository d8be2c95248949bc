"""Lines, texts and the frame of an SVG document. Each part has a class, so that a page can recolour it. Pure."""

from __future__ import annotations

from html import escape

from gatewright.web.charts import INK
from gatewright.web.words import clean


def document(title: str, described: str, width: float, height: float, body: str) -> str:
    """A self-contained SVG document that says in words what it shows, for people who cannot see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12" fill="{INK}" class="ink">'
        f"<title>{safe(title)}</title><desc>{safe(described)}</desc>"
        f'<rect class="paper" width="{width}" height="{height}" fill="#ffffff"/>{body}</svg>\n'
    )


def line(x1: float, x2: float, y1: float, y2: float, name: str, colour: str, extra: str = "") -> str:
    return (
        f'<line class="{name}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="{colour}"'
        + (f" {extra}" if extra else "")
        + "/>"
    )


def text(
    x: float, y: float, words: str, name: str, colour: str, anchor: str = "start", *,
    size: int = 12, weight: int = 400, extra: str = "",
) -> str:  # fmt: skip
    said = (f' font-size="{size}"' if size != 12 else "") + (f' font-weight="{weight}"' if weight != 400 else "")
    return (
        f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{said}'
        + (f" {extra}" if extra else "")
        + f">{safe(words)}</text>"
    )


def safe(text: str) -> str:
    return escape(clean(text))
