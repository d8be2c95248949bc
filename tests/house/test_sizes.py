"""The house stays small: no file above 350 lines, no function of the product above 60."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE = 350
MAX_FUNCTION = 60
PRODUCT = ("src", "examples")
TESTS = ("tests", "benchmarks")


def python_files(*folders: str) -> Iterator[Path]:
    """Every Python file of ours below `folders` (runs and workspaces live in dot folders)."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
                yield path


def long_functions(source: str, limit: int) -> list[tuple[str, int, int]]:
    """(name, first line, lines) of each function longer than `limit`, decorators not counted."""
    functions = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    measured = ((f.name, f.lineno, (f.end_lineno or f.lineno) - f.lineno + 1) for f in functions)
    return [entry for entry in measured if entry[2] > limit]


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files(*PRODUCT, *TESTS)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_FILE
    }
    assert not long, f"longer than {MAX_FILE} lines; give each responsibility its own file: {long}"


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{line} {name}: {lines} lines"
        for path in python_files(*PRODUCT)
        for name, line, lines in long_functions(path.read_text(encoding="utf-8"), MAX_FUNCTION)
    ]
    assert not long, f"longer than {MAX_FUNCTION} lines; name the steps: {long}"


def test_product_is_looked_at() -> None:
    assert ROOT / "src" / "gatewright" / "__init__.py" in set(python_files("src"))


@pytest.mark.parametrize(("body", "expected"), [(2, []), (3, [("f", 1, 4)])])
def test_measure_counts_the_whole_function(body: int, expected: list[tuple[str, int, int]]) -> None:
    source = "def f():\n" + "    pass\n" * body
    assert long_functions(source, 3) == expected
