"""The documentation cannot rot: links lead somewhere, every command, gate, error and stage has its place."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gatewright.cli.failures import BadCommand
from gatewright.cli.plan import NOTHING_TO_DO
from gatewright.domain import errors
from gatewright.domain.gate import GATE_NAMES
from gatewright.engine.handover import STAGE_OF
from gatewright.engine.pipeline import STAGES
from tests.unit.cli.conftest import CONFIG

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
LINKING = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES, *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
ERRORS = [
    *(kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.GatewrightError)),
    BadCommand,
]
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{link} leads nowhere"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"no heading for {link}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_map_shows_every_page(path: Path) -> None:
    if path.stem != "index":
        assert f"({path.name})" in page("index")


def test_the_map_shows_every_stage_and_what_it_leaves() -> None:
    for stage in STAGES:
        assert f"`gatewright {stage.name}`" in page("index")
    for handoff in STAGE_OF:
        assert f"`{handoff}.json`" in page("index")
        assert f"`{handoff}.json`" in page("runs")


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_has_its_row_its_code_and_its_page(kind: type[errors.GatewrightError]) -> None:
    row = next(line for line in page("errors").splitlines() if line.startswith(f"| `{kind.__name__}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == str(kind.exit_code)
    assert cells[3] == ("this one" if kind.page == "errors" else f"[{kind.page}]({kind.page}.md)")
    assert (ROOT / "docs" / f"{kind.page}.md").is_file()


def test_every_exit_code_is_explained() -> None:
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", page("errors"), re.MULTILINE)}
    assert explained == {0, NOTHING_TO_DO, *(kind.exit_code for kind in ERRORS)}


def test_pages_that_errors_point_to_exist() -> None:
    """Also those named in the middle of a remedy."""
    named = set()
    for path in (ROOT / "src").rglob("*.py"):
        named |= set(re.findall(r"docs/([a-z]+)\.md", path.read_text(encoding="utf-8")))
    assert named
    assert {name for name in named if not (ROOT / "docs" / f"{name}.md").is_file()} == set()


@pytest.mark.parametrize("gate", GATE_NAMES)
def test_every_gate_is_explained(gate: str) -> None:
    assert re.search(rf"^\| `{gate}` \|", page("gates"), re.MULTILINE)


def test_commands_page_is_what_the_commands_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate_commands.py", "--check"],
        env={**os.environ, "COLUMNS": "60"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, "run: python docs/generate_commands.py"


@pytest.mark.parametrize("path", [path for path in PAGES if path.stem not in ("commands",)], ids=lambda path: path.stem)
def test_commands_in_the_pages_exist(path: Path) -> None:
    known = set(re.findall(r"^## gatewright ?(.*)$", page("commands"), re.MULTILINE))
    families = {name.split()[0] for name in known if " " in name}
    for words in re.findall(
        r"`gatewright ([a-z][^`\n]*)`|^\$ gatewright ([a-z].*)$", path.read_text("utf-8"), re.MULTILINE
    ):
        first, *rest = ("".join(words)).split()
        name = f"{first} {rest[0]}" if first in families and rest and rest[0].isalpha() else first
        assert name in known, f"gatewright {name}"


def test_json_in_the_pages_is_json() -> None:
    for path in PAGES:
        for block in re.findall(r"^```json\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            json.loads(block)


def test_the_errors_page_shows_what_is_really_said(tmp_path: Path) -> None:
    (tmp_path / "gatewright.yaml").write_text(CONFIG.replace("label:", "labl:"), encoding="utf-8")
    code = "import sys; from gatewright.cli.main import main; main()"
    shown = re.search(r"^\$ gatewright (.*)\n((?:.*\n)*?)```", page("errors"), re.MULTILINE)
    assert shown is not None
    for words, expected in (
        (shown[1].split(), shown[2]),
        (
            ["status", "--output", "json"],
            re.findall(r"^```json\n(.*?)^```", page("errors"), re.MULTILINE | re.DOTALL)[0],
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stderr.splitlines() == expected.splitlines()
