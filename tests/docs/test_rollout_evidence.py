"""The page and the picture show what was measured, digit by digit."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
DRAWN = runpy.run_path(str(DOCS / "draw_rollout_evidence.py"))
FIGURES = json.loads((DOCS / "rollout-evidence.json").read_text(encoding="utf-8"))


def test_the_tables_are_those_of_the_figures() -> None:
    page = (DOCS / "rollout-evidence.md").read_text(encoding="utf-8")
    assert DRAWN["filled"](page, FIGURES) == page


def test_the_picture_is_that_of_the_figures() -> None:
    assert DRAWN["picture"](FIGURES) == (DOCS / "images" / "rules.svg").read_text(encoding="utf-8")


def test_a_table_without_a_place_is_told() -> None:
    page = (DOCS / "rollout-evidence.md").read_text(encoding="utf-8").replace("<!-- table: time -->", "")
    with pytest.raises(SystemExit, match="one table 'time' is needed"):
        DRAWN["filled"](page, FIGURES)
