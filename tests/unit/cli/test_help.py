"""The front page: every command explains itself, and nothing heavy is imported for it."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import click
import pytest
from click.testing import CliRunner

from gatewright.cli.main import gatewright

HEAVY = {"numpy", "scipy", "polars", "pydantic", "rich", "sqlite3", "yaml", "psutil", "sklearn", "starlette", "asyncio"}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*path, name))
        if isinstance(command, click.Group):
            found.extend(commands(command, (*path, name)))
    return found


COMMANDS = commands(gatewright)


def test_all_commands_are_found() -> None:
    assert len(COMMANDS) > 25
    assert ("rollout", "abort") in COMMANDS


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_help_has_an_example_of_its_own(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(gatewright, [*path, "--help"])
    assert result.exit_code == 0
    _, _, examples = result.output.partition("Examples:")
    assert f"gatewright {' '.join(path)}" in examples


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in [("config", "schema")]], ids=" ".join)
def test_each_command_speaks_json_or_is_a_family(path: tuple[str, ...]) -> None:
    output = CliRunner().invoke(gatewright, [*path, "--help"]).output
    assert ("--output [text|json" in output) or "Commands:" in output


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv[1:] = ['--help']\nfrom gatewright.cli.main import main\n"
    code += f"try: main()\nexcept SystemExit: print('heavy:', sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"gatewright --help: {cpu * 1000:.0f} ms CPU, {(time.monotonic() - started) * 1000:.0f} ms")
    assert done.stderr.splitlines()[-1] == "heavy: []"
    assert "CI/CD for machine-learning models" in done.stdout


def test_help_on_a_narrow_terminal_keeps_the_examples_apart() -> None:
    lines = CliRunner().invoke(gatewright, ["run", "--help"], terminal_width=60).output.splitlines()
    assert "    gatewright run --resume RUN" in lines
