"""Write docs/commands.md, the `--help` of every command; with `--check` only compare."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from gatewright.cli.main import gatewright

PAGE = Path(__file__).with_name("commands.md")
WIDTH = 110
_START = """# Commands

The `--help` of every command, written by `python docs/generate_commands.py`. Exit codes: [errors](errors.md).
Three things hold for all of them:

- `--output json` prints one JSON document on standard output and no progress; warnings and errors are lines of JSON
  on standard error.
- On a terminal progress is live; in a log it is a line per event. `NO_COLOR` turns colours off.
- When nobody reads the output any more (`| head`), the work goes on.

| command | |
|---|---|
"""


def commands(group: click.Group, path: str = "gatewright") -> Iterator[tuple[str, click.Command]]:
    """Every command below `group` with its path, in the order of the help."""
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def page() -> str:
    """The whole page."""
    found = [("gatewright", gatewright), *commands(gatewright)]
    rows = "".join(f"| [`{path}`](#{path.replace(' ', '-')}) | {_first_line(command)} |\n" for path, command in found)
    return _START + rows + "".join(_section(path, command) for path, command in found)


def _section(path: str, command: click.Command) -> str:
    settings = gatewright.context_settings["help_option_names"]
    context = click.Context(command, info_name=path, terminal_width=WIDTH, help_option_names=settings)
    text = command.get_help(context)
    return f"\n## {path}\n\n```text\n{text.rstrip()}\n```\n"


def _first_line(command: click.Command) -> str:
    return (command.help or "").strip().partition("\n")[0].replace("|", "\\|")


def main() -> int:
    """Exit 1 when `--check` finds another page than the commands would make."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
