"""`gatewright`: commands are imported only when called, and every error ends here, in one form."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from gatewright import __version__
from gatewright.cli.failures import CommandGroup, of_click, of_system, tell, wants_json
from gatewright.domain.errors import GatewrightError, Interrupted

_COMMANDS = {
    "init": ("init:init", "Into a repository that has none of it yet: look, ask, write what a run needs."),
    "run": ("run:run", "All six stages, from what changed to 100 % of live traffic."),
    "plan": ("plan:plan", "What would run, and why; what would not, and by which proof."),
    "validate": ("validate:validate", "Stage 1: lint, audit dependencies, check data against its schema."),
    "train": ("stages:train", "Stage 2: run the team's own training command."),
    "evaluate": ("stages:evaluate", "Stage 3a: score candidate and baseline on the same rows."),
    "gate": ("stages:gate", "Stage 3b: apply the four gates, to a run or to a report file."),
    "register": ("stages:register", "Stage 4: register the model that passed."),
    "canary": ("rollout:canary", "Stage 5: a share of live traffic, watched, rolled back by itself."),
    "rollout": ("rollout:rollout", "Stage 6 (finish), and the operator's verbs."),
    "feedback": ("feedback:feedback", "Labels that come late: joined to the answers of the version that gave them."),
    "status": ("status:status", "What runs, what serves, what was recorded and what is observed."),
    "records": ("records:records", "The hash-chained deployment records."),
    "runs": ("runs:runs", "Runs: list them, show one, give one up."),
    "report": ("report:report", "A run as a report: text, Markdown, HTML, JSON or JUnit XML."),
    "compare": ("compare:compare", "Two models on the same rows, judged by the gates; changes nothing."),
    "data": ("data:data", "Versions of data sets."),
    "evalset": ("evalset:evalset", "Evaluation sets that follow production: sample, label, import, check."),
    "serve": ("serve:serve", "The local runtime: gateway and model servers."),
    "ci": ("ci:ci", "The pipeline as a file of a CI system, and its report as a comment."),
    "config": ("config:config", "Check gatewright.yaml; print its JSON Schema, and that of verdict.json."),
}


class LazyCommands(CommandGroup):
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
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old locale loses a mark, never the run
    try:
        color = False if os.environ.get("NO_COLOR") else None
        code = gatewright.main(prog_name="gatewright", standalone_mode=False, color=color)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        if not wants_json():
            error.show()
            sys.exit(2)
        _end(of_click(click.UsageError("a command is missing", error.ctx)))
    except click.ClickException as error:
        _end(of_click(error))
    except (click.Abort, KeyboardInterrupt):
        _end(Interrupted("interrupted", fix="what is done stays done; gatewright status tells what is open"))
    except GatewrightError as error:
        _end(error)
    except OSError as error:
        if os.environ.get("GATEWRIGHT_DEBUG"):
            raise
        _end(of_system(error))
    except Exception as error:
        if os.environ.get("GATEWRIGHT_DEBUG"):
            raise
        fault = GatewrightError(
            f"internal error: {type(error).__name__}: {error}",
            fix="this is a fault of Gatewright; GATEWRIGHT_DEBUG=1 shows where: please report it",
        )
        _end(fault)


def _end(error: GatewrightError) -> NoReturn:
    tell(error)
    sys.exit(error.exit_code)
