"""The corpus goes in where people and programs go in: through the command line, in this process."""

from __future__ import annotations

from tests.unit.cli.conftest import empty, shell  # noqa: F401
