"""What the pages show can be typed: options exist, and pieces of gatewright.yaml are accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatewright.config.project import read_configuration
from gatewright.domain.project import Project
from gatewright.workspace import Plugins

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
MISSPELT = {"--resum"}
"""The errors page shows what is said of it."""
REST = {
    "model": "shop",
    "data": {"train": "shop-train", "evaluation": "shop-eval"},
    "train": {"command": ["python", "train.py", "{output.dir}"]},
    "evaluation": {"label": "bought", "slices": ["sex"]},
    "fairness": {"attributes": ["sex"]},
    "gates": {"overall": {"min": 0.7}},
}
"""What a piece of the file lacks to be a whole one."""


def options() -> dict[str, set[str]]:
    """The options of each command, by its words."""
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    parts = (part.partition("\n") for part in re.split(r"^## gatewright", text, flags=re.MULTILINE)[1:])
    return {name.strip(): set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", usage)) for name, _, usage in parts}


def typed(text: str, known: dict[str, set[str]]) -> Iterator[tuple[str, set[str]]]:
    """Each command line in `text`: the command's words, and its options."""
    for line in re.findall(r"(?<![\w./-])gatewright ([a-z][^`\n|;&#]*)", text):
        words = line.split(" -- ")[0].split()
        name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
        if name is not None:
            yield name, set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(words))) - MISSPELT


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_options_of_commands_exist(path: Path) -> None:
    known = options()
    unknown = [(name, used - known[name]) for name, used in typed(path.read_text("utf-8"), known) if used - known[name]]
    assert not unknown


def test_commands_are_found_in_the_pages() -> None:
    known = options()
    found = [used for path in PAGES for _, used in typed(path.read_text("utf-8"), known)]
    assert sum(map(bool, found)) > 50
    assert dict(typed("gatewright gate --explai", known)) == {"gate": {"--explai"}}


def pieces() -> list[Any]:
    """Every piece of gatewright.yaml in the pages; YAML of others has other first words, or is abridged."""
    found = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 2
            words = set(re.findall(r"^([a-z]\w*):", match[1], re.MULTILINE))
            if "…" not in match[1] and words and words <= {field.name for field in fields(Project)}:
                found.append(pytest.param(match[1], id=f"{path.stem}:{line}"))
    return found


@pytest.mark.parametrize("piece", pieces())
def test_a_piece_of_the_configuration_is_accepted(piece: str, tmp_path: Path) -> None:
    shown = yaml.safe_load(piece)
    whole = {**REST, **shown}
    for name in ("data", "train", "evaluation", "fairness"):
        whole[name] = {**REST[name], **shown.get(name, {})}
    (tmp_path / "gatewright.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    read_configuration(tmp_path / "gatewright.yaml", Plugins())


def test_the_pages_show_many_pieces() -> None:
    assert len(pieces()) > 30
