"""Tests marked `slow` run only when asked for: `pytest --slow`, or `make test-all`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.fixtures.tracking_server import TrackingServer

# A busy machine is no fault of the code: examples have no time limit of their own, tests have one.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if getattr(config.option, "loadgroup", False):
        _name_groups(items)
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: needs --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


def _name_groups(items: list[pytest.Item]) -> None:
    """Add `@group` to the ids, by which xdist keeps a group together.

    xdist 3.8 writes it where pytest 9.2 no longer reads it: every worker would start its own server, in silence.
    """
    for item in items:
        names = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        if names and not item.nodeid.endswith(wanted := f"@{'_'.join(names)}"):
            item._id = type(item._id).parse(item.nodeid + wanted)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """One for all tests of the group `mlflow`, started when the first of them asks."""
    server = TrackingServer(tmp_path_factory.mktemp("mlflow-server"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The figures of the crash tests, summed over all workers."""
    told: Counter[str] = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        for name, figures in getattr(report, "user_properties", ()):
            if name == "crash" and report.when == "call":
                told.update({key: value for key, value in figures.items() if isinstance(value, int)})
    if told:
        terminalreporter.write_line("crash tests: " + ", ".join(f"{key} {told[key]:,}" for key in sorted(told)))
