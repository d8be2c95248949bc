"""gatewright.yaml and report files: every row of their lists, through `gatewright config check` and `gate REPORT`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus import config_rows, report_rows
from tests.corpus.rows import Bad, assert_complete, assert_told, each
from tests.unit.cli.conftest import Shell


@pytest.fixture
def workspace(empty: Path) -> Path:
    """An empty folder with a link that leads out of it, which is the current one."""
    (empty / "workspace").mkdir()
    (empty / "workspace" / "link").symlink_to(empty)
    return empty / "workspace"


def test_the_lists_are_complete() -> None:
    assert_complete(config_rows.ROWS, config_rows.LISTED)
    assert_complete(report_rows.ROWS, report_rows.LISTED)


@pytest.mark.parametrize("row", each(config_rows.ROWS))
def test_config(row: Bad, shell: Shell, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    row.write(Path("gatewright.yaml"))
    assert_told(shell("config", "check"), f"gatewright.yaml{row.says}", problems=row.problems)


@pytest.mark.parametrize("text", [config_rows.START, config_rows.SEVERAL.split("  two:")[0]])
def test_what_the_rows_damage_is_fine(text: str, shell: Shell, empty: Path) -> None:
    (empty / "gatewright.yaml").write_text(text, encoding="utf-8")
    assert shell("config", "check").code == 0


@pytest.mark.parametrize("row", each(report_rows.ROWS))
def test_report(row: Bad, shell: Shell, empty: Path) -> None:
    (empty / "production.json").write_text(report_rows.BASELINE, encoding="utf-8")
    row.write(empty / "eval.json")
    assert_told(shell("gate", "eval.json", "--baseline", "production.json"), row.says, problems=row.problems)


@pytest.mark.parametrize("row", each(row for row in report_rows.ROWS if row.name in ("NaN", "duplicate key", "1e999")))
def test_baseline(row: Bad, shell: Shell, empty: Path) -> None:
    (empty / "eval.json").write_text(report_rows.GOOD, encoding="utf-8")
    row.write(empty / "production.json")
    told = shell("gate", "eval.json", "--baseline", "production.json")
    assert_told(told, row.says.replace("eval.json", "production.json"))


def test_a_good_report_passes(shell: Shell, empty: Path) -> None:
    (empty / "production.json").write_text(report_rows.BASELINE, encoding="utf-8")
    (empty / "eval.json").write_text(report_rows.GOOD, encoding="utf-8")
    assert shell("gate", "eval.json", "--baseline", "production.json").code == 0
