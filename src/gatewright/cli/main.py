"""`gatewright`: commands are imported only when called, and every error ends here, in one form."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

import click

from gatewright import __version__
from gatewright.domain.errors import GatewrightError, Interrupted

_COMMANDS = {
    "run": ("run:run", "All six stages, from what changed to 100 % of live traffic."),
    "validate": ("stages:validate", "Stage 1: lint, audit dependencies, check data against its schema."),
    "train": ("stages:train", "Stage 2: run the team's own training command."),
    "evaluate": ("stages:evaluate", "Stage 3a: score candidate and baseline on the same rows."),
    "gate": ("stages:gate", "Stage 3b: apply the four gates, to a run or to a report file."),
    "register": ("stages:register", "Stage 4: register the model that passed."),
    "canary": ("rollout:canary", "Stage 5: a share of live traffic, watched, rolled back by itself."),
    "rollout": ("rollout:rollout", "Stage 6 (finish), and the operator's verbs."),
    "status": ("status:status", "What runs, what serves, what was recorded and what is observed."),
    "records": ("records:records", "The hash-chained deployment records."),
    "runs": ("runs:runs", "Runs: list them, show one, give one up."),
    "data": ("data:data", "Versions of data sets."),
    "serve": ("serve:serve", "The local runtime: gateway and model servers."),
    "config": ("config:config", "Check gatewright.yaml; print its JSON Schema."),
}
_INTERNAL = 5


class LazyCommands(click.Group):
    """A group that knows its commands' names and first lines, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the pipeline."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the family of the command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"gatewright.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command for a misspelt one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx) from error


@click.command(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="gatewright")
def gatewright() -> None:
    """CI/CD for machine-learning models: six stages with hard gates between them.

    \b
    Examples:
      gatewright config check
      gatewright run                       all stages, on the latest data versions
      gatewright run --resume RUN          go on; nothing that is proven done is repeated
      gatewright gate eval.json --baseline baselines/production.json
      gatewright status
    """


def main() -> None:
    """Entry point; the exit code tells the kind of the error (see docs/errors.md)."""
    try:
        code = gatewright.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _tell(Interrupted("interrupted", fix="what is done stays done"))
        sys.exit(Interrupted.exit_code)
    except GatewrightError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("GATEWRIGHT_DEBUG"):
            raise
        fault = GatewrightError(
            f"internal error: {type(error).__name__}: {error}",
            fix="this is a fault of Gatewright; GATEWRIGHT_DEBUG=1 shows where: please report it",
        )
        _tell(fault)
        sys.exit(_INTERNAL)


def _tell(error: GatewrightError) -> None:
    if _wants_json():
        told = {"error": str(error), "fix": error.fix, "page": error.page, "exit_code": error.exit_code}
        click.echo(json.dumps(told, ensure_ascii=False), err=True)
        return
    click.echo(click.style("error: ", fg="red", bold=True) + str(error), err=True)
    if error.fix:
        click.echo(click.style("   do: ", bold=True) + error.fix, err=True)
    click.echo(f"  see: docs/{error.page}.md (exit {error.exit_code})", err=True)


def _wants_json() -> bool:
    words = sys.argv[1:]
    return "--output=json" in words or any(pair == ("--output", "json") for pair in zip(words, words[1:], strict=False))
