"""The tables and the picture of rollout-evidence.md, from the figures in rollout-evidence.json.

`python docs/draw_rollout_evidence.py` writes both anew; what is measured is tests/simulation/measure.py.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from gatewright.web.charts import COLOURS, FAINT, GOOD, GRID, INK
from gatewright.web.svg import document, line, text

DOCS = Path(__file__).resolve().parent
FIGURES, PAGE, PICTURE = DOCS / "rollout-evidence.json", DOCS / "rollout-evidence.md", DOCS / "images" / "rules.svg"
FAULTS = ("errors 1 → 2 %", "quality 92 → 90 %", "p99 + 20 %")
OURS = "**Gatewright**"
Figures = dict[str, Any]


def main() -> None:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")
    PICTURE.write_text(picture(figures), encoding="utf-8")


def filled(page: str, figures: Figures) -> str:
    """The page with each table between its two comments written anew."""
    for name, rows in tables(figures).items():
        before, after = f"<!-- table: {name} -->\n", "<!-- end of table -->"
        written = before + "".join("| " + " | ".join(row) + " |\n" for row in rows) + after
        page, count = re.subn(
            re.escape(before) + r".*?" + re.escape(after), lambda _, w=written: w, page, flags=re.DOTALL
        )
        if count != 1:
            raise SystemExit(f"rollout-evidence.md: one table {name!r} is needed, there are {count}")
    return page


def tables(figures: Figures) -> dict[str, list[list[str]]]:
    """Rows of every table by name, the heading first."""
    return {
        "false rollbacks": _false_rollbacks(figures),
        "time": _time(figures),
        "good releases": _good_releases(figures),
        "promote margin": _promote_margin(figures),
        "late labels": _late_labels(figures),
        "visitors": _visitors(figures),
        "regulars": _regulars(figures),
        "luck": _luck(figures),
        "lucky users": _lucky(figures),
    }


def _false_rollbacks(figures: Figures) -> list[list[str]]:
    conditions = [(rate, base) for base in ("level", "moving") for rate in (200, 20, 2)]
    cells = [figures[f"equal models, {rate}/s, {base}"] for rate, base in conditions]
    rows = [["rule", *(f"{rate}/s, {base}" for rate, base in conditions)], ["---"] * 7]
    rows.append([OURS, *(f"**{_share(cell['rolled back'])}**" for cell in cells)])
    return rows + [[rule, *(_share(cell["peers"][rule]) for cell in cells)] for rule in cells[0]["peers"]]


def _time(figures: Figures) -> list[list[str]]:
    cells = [figures[f"found, {fault}, default margins"] for fault in FAULTS]
    bare = [figures[f"found, {fault}, margin 0"] for fault in FAULTS]
    rows = [["rule", *FAULTS], ["---"] * 4]
    rows.append([OURS, *(f"**{_minutes(cell)}**" for cell in cells)])
    rows.append(["Gatewright at margin 0", *map(_minutes, bare)])
    return rows + [[rule, *(_minutes(cell["peers"][rule]) for cell in cells)] for rule in cells[0]["peers"]]


def _good_releases(figures: Figures) -> list[list[str]]:
    rows = [["traffic", "promoted", "without extension", "hours (90 %)", "inconclusive", "rolled back"], ["---"] * 6]
    for words, name in (
        ("200/s", "200/s, level"),
        ("200/s, base rate moving", "200/s, moving"),
        ("200/s, a look a minute instead of every ten seconds", "200/s, level, looks of a minute"),
        ("200/s, drift watched as well", "200/s, level, with drift"),
        ("200/s, margin 0 for a rollback", "200/s, level, margin 0"),
        ("20/s", "20/s, level"),
        ("20/s, base rate moving", "20/s, moving"),
        ("2/s", "2/s, level"),
        ("2/s, resumed by a person whenever inconclusive", "2/s, level, resumed"),
    ):
        cell = figures[f"equal models, {name}"]
        hours = "–" if cell["hours"] is None else f"{cell['hours'][0]:.1f} ({cell['hours'][1]:.1f})"
        shares = [_share(cell[key]) for key in ("promoted", "without extension", "inconclusive", "rolled back")]
        rows.append([words, shares[0], shares[1], hours, *shares[2:]])
    return rows


def _promote_margin(figures: Figures) -> list[list[str]]:
    rows = [
        [
            "worse by its promote margin",
            "ever shown acceptable",
            "promoted, if nothing rolled back",
            "promoted",
            "rolled back",
        ],
        ["---"] * 5,
    ]
    for metrics in ("errors", "latency", "quality", "errors, latency, quality"):
        bare, whole = (figures[f"at the promote margin, {metrics}, {rule}"] for rule in ("no rollback", "whole rule"))
        shares = (bare["shown acceptable"], bare["promoted"], whole["promoted"], whole["rolled back"])
        rows.append([metrics if "," not in metrics else "all three (any of them shown)", *map(_share, shares)])
    return rows


def _late_labels(figures: Figures) -> list[list[str]]:
    rows = [["labels", "200/s", "20/s"], ["---"] * 3]
    for words, handling in (
        ("by arrival, weight and time of the label", "product"),
        ("by the time of the label", "naive"),
    ):
        cells = [figures[f"late labels, {rate}/s, {handling}"] for rate in (200, 20)]
        rows.append([words, *(_share(cell["rolled back"]) for cell in cells)])
    return rows


def _visitors(figures: Figures) -> list[list[str]]:
    rows = [["correlation within a visit", "0.05", "0.1", "0.2"], ["---"] * 4]
    for words, handling in (("design effect estimated", "product"), ("every request for itself", "naive")):
        cells = [figures[f"visitors, 20/s, {correlation}, {handling}"] for correlation in (0.05, 0.1, 0.2)]
        rows.append([words, *(_share(cell["rolled back"]) for cell in cells)])
    return rows


def _regulars(figures: Figures) -> list[list[str]]:
    conditions = [(users, correlation) for users in ("20,000", "5,000") for correlation in (0.05, 0.1, 0.2)]
    rows = [["", *(f"{users} users, {correlation}" for users, correlation in conditions)], ["---"] * 7]
    for words, handling, key in (
        ("rolled back", "product", "rolled back"),
        ("– with the design effect alone", "design effect alone", "rolled back"),
        ("– every request for itself", "naive", "rolled back"),
        ("inconclusive", "product", "inconclusive"),
        ("– with the design effect alone", "design effect alone", "inconclusive"),
    ):
        names = (f"regulars, 20/s, {users}, {correlation}, {handling}" for users, correlation in conditions)
        rows.append([words, *(_measured(figures, name, key) for name in names)])
    return rows


def _luck(figures: Figures) -> list[list[str]]:
    rows = [
        ["correlation", "median without luck's margin", "with it", "found within 30 minutes without", "with it"],
        ["---"] * 5,
    ]
    for correlation in ("0.001", "0.1"):
        bare, ours = (
            figures[f"found among regulars, 20,000, {correlation}, {handling}"]
            for handling in ("design effect alone", "product")
        )
        shares = [_share(cell["by minute"]["30"]) for cell in (bare, ours)]
        rows.append([correlation, _minutes(bare), _minutes(ours), *shares])
    return rows


def _lucky(figures: Figures) -> list[list[str]]:
    rows = [["regulars", "ever shown acceptable", "promoted", "rolled back", "inconclusive"], ["---"] * 5]
    for users in ("20,000", "5,000"):
        name = f"regulars at the promote margin, 20/s, {users}, 0.1"
        keys = ("shown acceptable", "promoted", "rolled back", "inconclusive")
        rows.append([users, *(_measured(figures, name, key) for key in keys)])
    return rows


def _measured(figures: Figures, name: str, key: str) -> str:
    """A share of this cell; a cell that nobody has measured says so."""
    return _share(figures[name][key]) if name in figures else "not measured"


def _share(value: float) -> str:
    return "0" if value == 0 else f"{value:.4f}".rstrip("0").rstrip(".")


def _minutes(cell: Figures) -> str:
    return "–" if cell["median"] is None else f"{cell['median']:.1f}".removesuffix(".0")


WIDTH, ROW, TOP, NAMES, SHARES, TIMES = 900, 44, 78, 200, (216, 500), (560, 860)


def picture(figures: Figures) -> str:
    """One row a rule: how often it rolls equal models back, and when it finds what is wrong."""
    level, moving = (figures[f"equal models, 200/s, {base}"] for base in ("level", "moving"))
    found = [figures[f"found, {fault}, default margins"] for fault in FAULTS]
    rules = ["Gatewright", *level["peers"]]
    height = TOP + len(rules) * ROW + 62
    title = "Equal models rolled back, and minutes until a fault is found"
    body, told = [text(16, 24, title, "ink", INK, size=15, weight=600), *_axes(len(rules))], []
    for index, rule in enumerate(rules):
        y = TOP + index * ROW
        ours = index == 0
        shares = [cell["rolled back"] if ours else cell["peers"][rule] for cell in (level, moving)]
        minutes = [cell["median"] if ours else cell["peers"][rule]["median"] for cell in found]
        body.append(text(NAMES, y + 22, rule, "ink", GOOD if ours else INK, "end", weight=600 if ours else 400))
        for number, share in enumerate(shares):
            body += _bar(share, y + 8 + 13 * number, COLOURS[number])
        body += [_dot(minute, y + 17, number) for number, minute in enumerate(minutes) if minute is not None]
        words = ", ".join(f"{minute:.0f}" for minute in minutes if minute is not None)
        told.append(f"{rule}: {shares[0]:.2%} at a level base rate, {shares[1]:.2%} at a moving one, {words} minutes")
    return document(title, "; ".join(told), WIDTH, height, "".join(body))


def _axes(rules: int) -> list[str]:
    bottom = TOP + rules * ROW
    parts = [
        text(SHARES[0], 48, "share of equal models rolled back, 200 requests/s", "faint", FAINT),
        text(TIMES[0], 48, "median minutes until found, at 5 %", "faint", FAINT),
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = SHARES[0] + share * (SHARES[1] - SHARES[0])
        parts.append(line(x, x, TOP, bottom, "grid", GRID))
        parts.append(text(x, TOP - 8, f"{share:.0%}", "faint", FAINT, "middle"))
    for minute in (1, 2, 5, 10, 30):
        parts.append(line(_at(minute), _at(minute), TOP, bottom, "grid", GRID))
        parts.append(text(_at(minute), TOP - 8, f"{minute}", "faint", FAINT, "middle"))
    for number, words in enumerate(("level base rate", "base rate moving along the steps")):
        y = bottom + 12 + 16 * number
        parts.append(f'<rect x="{SHARES[0]}" y="{y}" width="12" height="9" fill="{COLOURS[number]}"/>')
        parts.append(text(SHARES[0] + 18, y + 9, words, "ink", INK))
    for number, fault in enumerate(FAULTS):
        y = bottom + 12 + 16 * number
        parts.append(f'<circle cx="{TIMES[0] + 6}" cy="{y + 4}" r="5" fill="{COLOURS[number]}"/>')
        parts.append(text(TIMES[0] + 18, y + 8, fault, "ink", INK))
    return parts


def _bar(share: float, y: float, colour: str) -> list[str]:
    width = share * (SHARES[1] - SHARES[0])
    words = "0" if share == 0 else f"{share:.1%}".replace(".0%", "%")
    return [
        f'<rect x="{SHARES[0]}" y="{y:.0f}" width="{max(width, 1.5):.1f}" height="10" fill="{colour}"/>',
        text(SHARES[0] + width + 5, y + 9, words, "ink", INK, size=11),
    ]


def _dot(minute: float, y: float, number: int) -> str:
    x, height = _at(minute), y + 6 * (number - 1)
    return f'<circle cx="{x:.1f}" cy="{height:.1f}" r="5" fill="{COLOURS[number]}" fill-opacity="0.85"/>'


def _at(minute: float) -> float:
    return TIMES[0] + math.log(max(minute, 1.0)) / math.log(30.0) * (TIMES[1] - TIMES[0])


if __name__ == "__main__":
    main()
