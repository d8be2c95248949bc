"""How every error ends: what, where, what is allowed, what to do; in words, or as one line of JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from itertools import pairwise

import click

from gatewright.cli.output import say
from gatewright.domain.errors import GatewrightError, UnusableInput, WithProblems, WorldFailed


class BadCommand(UnusableInput):
    """A command, argument or option that does not exist or has a value it cannot have."""

    page = "commands"


class CommandGroup(click.Group):
    """A group in the order it was written in, that names the nearest command for a misspelt one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were defined."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """BadCommand instead of click's own words."""
        name, known = args[0], self.list_commands(ctx)
        if name in known or name.startswith("-"):
            return super().resolve_command(ctx, args)
        raise BadCommand(
            f"{ctx.command_path} has no command {name!r}{_hint(name, known)}",
            fix=f"commands: {', '.join(known)}; {ctx.command_path} --help",
        )


def of_click(error: click.ClickException) -> GatewrightError:
    """What click found wrong with the command line, as one of our own."""
    what = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "gatewright"
    if isinstance(error, click.NoSuchOption) and context is not None:
        known = [max(each.opts, key=len) for each in context.command.params if isinstance(each, click.Option)]
        what = f"{command} has no option {error.option_name!r}{_hint(error.option_name, known)}"
        return BadCommand(what, fix=f"options: {', '.join(known) or 'none'}; {command} --help")
    return BadCommand(what[:1].lower() + what[1:], fix=f"{command} --help shows what it takes")


def of_system(error: OSError) -> GatewrightError:
    """A file system that refuses, as one of our own."""
    where = f"{error.filename}: " if error.filename else ""
    return WorldFailed(
        f"{where}{error.strerror or error}",
        fix="see that the file or folder is there, may be written by you, and that the disk is not full",
    )


def tell(error: GatewrightError) -> None:
    """The error on standard error: words for people, one line of JSON for programs."""
    if wants_json():
        say(json.dumps(_document(error), ensure_ascii=False), err=True)
        return
    say(click.style("error: ", fg="red", bold=True) + str(error), err=True)
    say(click.style("   do: ", bold=True) + _fix(error), err=True)
    say(f"  see: docs/{error.page}.md (exit {error.exit_code})", err=True)


def wants_json() -> bool:
    """Whether the command line asks for JSON; it may be too broken for click to say."""
    words = sys.argv[1:]
    return "--output=json" in words or ("--output", "json") in pairwise(words)


def _hint(word: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1)
    return f": did you mean {near[0]!r}?" if near else ""


def _fix(error: GatewrightError) -> str:
    return error.fix or f"mend what is named; docs/{error.page}.md says what is allowed"


def _document(error: GatewrightError) -> dict[str, object]:
    document: dict[str, object] = {
        "error": str(error),
        "kind": type(error).__name__,
        "fix": _fix(error),
        "page": f"docs/{error.page}.md",
        "exit_code": error.exit_code,
    }
    if isinstance(error, WithProblems):
        document["problems"] = [
            {**asdict(problem.where), "field": problem.field, "what": problem.what} for problem in error.problems
        ]
    return document
