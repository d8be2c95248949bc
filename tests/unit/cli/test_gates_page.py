"""docs/gates.md shows real files and real output."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatewright.cli.gate_files import gate_report_files

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "gates.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "skip", "code"), [("gate", (), 1), ("gate --skip slices", ("slices",), 0)])
def test_the_examples_print_what_the_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, skip: tuple[str, ...], code: int
) -> None:
    report, baseline = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "eval.json").write_text(report, encoding="utf-8")
    (tmp_path / "production.json").write_text(baseline, encoding="utf-8")
    assert gate_report_files(tmp_path / "eval.json", tmp_path / "production.json", skip, "text") == code
    shown = re.search(rf"\$ gatewright {command}\n(.*?)```", PAGE, flags=re.DOTALL)
    assert shown is not None
    assert capsys.readouterr().out == shown[1]
