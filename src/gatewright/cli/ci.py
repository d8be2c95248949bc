"""`gatewright ci`: what a CI system is given, and what it tells."""

from __future__ import annotations

from importlib import import_module

import click

from gatewright.cli.failures import CommandGroup

_COMMANDS = {"generate": "ci_generate:generate", "report": "ci_report:report"}


class LazyGroup(CommandGroup):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"gatewright.cli.{module}"), attribute)
        return command


@click.group(cls=LazyGroup)
def ci() -> None:
    """The pipeline of a CI system, written from gatewright.yaml, and the report of a run as a comment.

    \b
    Examples:
      gatewright ci generate --target github
      gatewright ci generate --target gitlab --check
      gatewright ci report --dry-run
    """
