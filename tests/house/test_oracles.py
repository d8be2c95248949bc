"""What the tests measure the statistics against is never what the product computes them with.

Import-linter sees other packages as a whole; two of these are parts of packages that the product may use.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
ORACLES = ("scipy.stats", "statsmodels", "fairlearn", "sklearn.metrics")


def imported(source: str) -> Iterator[str]:
    """Dotted names of all that `source` imports, whichever way it is written."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def oracles(source: str) -> list[str]:
    return [name for name in imported(source) if any(f"{name}.".startswith(f"{oracle}.") for oracle in ORACLES)]


def test_product_imports_no_oracle() -> None:
    found = {
        str(path.relative_to(SOURCE)): names
        for path in sorted(SOURCE.rglob("*.py"))
        if (names := oracles(path.read_text(encoding="utf-8")))
    }
    assert not found, f"imported in src, allowed in tests only: {found}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import scipy.stats as st", ["scipy.stats"]),
        ("from scipy import special, stats", ["scipy.stats"]),
        ("def f():\n    from sklearn.metrics import roc_auc_score", ["sklearn.metrics.roc_auc_score"]),
        ("import statsmodels.api", ["statsmodels.api"]),
        ("from scipy.special import ndtri\nimport scipy.statistics\nfrom . import stats", []),
    ],
)
def test_every_way_to_import_is_seen(source: str, expected: list[str]) -> None:
    assert oracles(source) == expected
