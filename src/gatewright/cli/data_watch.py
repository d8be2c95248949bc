"""`gatewright data watch`: new data starts a run, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.options import Output, chosen_model, output_option, workspace_option
from gatewright.cli.output import say, say_json, table

if TYPE_CHECKING:
    from gatewright.engine.watching.claiming import Seen
    from gatewright.engine.watching.watch import Watch
    from gatewright.ports import Clock, Trigger
    from gatewright.workspace import Workspace

_STARTS = ("local", "github", "gitlab", "jenkins", "branch")
_EXITS = {"blocked": 1, "failed": 4}
_COLOURS = {"started": "green", "failed": "red", "blocked": "red", "error": "yellow", "untold": "yellow"}


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    from gatewright.domain.duration import Duration

    try:
        return 0.0 if text == "0" else Duration.parse(text).seconds
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}") from error


@click.command()
@click.option("--once", is_flag=True, help="Look once and end, for schedules.")
@click.option("--every", "every_s", default="60s", show_default=True, callback=_seconds, help="Time between two looks.")
@click.option(
    "--start",
    type=click.Choice(_STARTS),
    help="Who runs it: this machine, a CI, or a branch for a pull request.  [default: trigger.kind]",
)
@click.option("--fetch", is_flag=True, help="First git fetch, and move a clean checkout forward.")
@click.option(
    "--settle",
    "settle_s",
    default="2s",
    show_default=True,
    callback=_seconds,
    help="How long new bytes must stand still before they are read; 0 for files that are renamed into place.",
)
@click.option("--retry", is_flag=True, help="First let starts that failed for good be tried again.")
@click.option("--wait", is_flag=True, help="With --once: wait for runs started on this machine, and end as they do.")
@workspace_option
@output_option
@click.pass_context
def watch(
    context: click.Context,
    once: bool,
    every_s: float,
    start: str | None,
    fetch: bool,
    settle_s: float,
    retry: bool,
    wait: bool,
    root: Path,
    output: Output,
) -> None:
    """Start one run for each change of data: look at where it lies, claim the change, start the run.

    New bytes where a data set lies become a new version; a version that is new on the checked-out branch counts as
    well. Which class of change starts what is told by gatewright plan. Any number of watchers start one run. Ends on
    SIGTERM or Ctrl-C; runs that were started go on. With --output json each event is one line of JSON.

    \b
    Examples:
      gatewright data watch
      gatewright data watch --once --wait
      gatewright data watch --once --fetch --start github
      gatewright data watch --every 5m --start branch --output json
    """
    import signal

    from gatewright.cli.failures import BadCommand
    from gatewright.engine.watching.watch import Watch
    from gatewright.workspace import SystemClock, Workspace

    if wait and not once:
        raise BadCommand("--wait belongs to --once", fix="gatewright data watch --once --wait")
    root, chosen, clock = root.resolve(), chosen_model(), SystemClock()
    watcher = Watch(
        root,
        clock,
        Told(clock, output),
        models=lambda: _models(root, chosen),
        open_model=lambda model: Workspace.open(root, model),
        trigger_of=lambda workspace: _trigger(workspace, start),
        fetch=fetch,
        settle_s=settle_s,
    )
    _refuse_undescribed(root, chosen, start)
    if retry:
        watcher.retry()
    if once:
        context.exit(_once(watcher, root, clock, wait=wait))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, watcher.stop)
    watcher.run(every_s)


@click.command()
@workspace_option
@output_option
def claims(root: Path, output: Output) -> None:
    """List what was claimed: which change of data started which run, where, or why none.

    \b
    Examples:
      gatewright data claims
      gatewright data claims --output json
    """
    from gatewright.cli.options import opened_for_any
    from gatewright.domain.documents import plain
    from gatewright.store.claims import Claims

    found = Claims(opened_for_any(root).database).all(chosen_model())
    if output == "json":
        say_json(plain(found))
    elif not found:
        say("no change of data was claimed yet: gatewright data watch")
    else:
        rows = [
            (
                f"{claim.claimed_at:%Y-%m-%d %H:%M:%S}Z",
                claim.subject.model,
                claim.data,
                claim.state,
                claim.run or "-",
                claim.outcome or claim.reason,
            )
            for claim in found
        ]
        table(rows, head=("CLAIMED", "MODEL", "DATA", "STATE", "RUN", "OUTCOME"))


class Told:
    """The watch's journal on standard output: a line an event."""

    def __init__(self, clock: Clock, output: Output) -> None:
        self._clock = clock
        self._output = output

    def __call__(self, event: str, **facts: Any) -> None:
        """The line of one event."""
        at = self._clock.now()
        if self._output == "json":
            moment = at.isoformat(timespec="milliseconds")
            say(json.dumps({"at": moment, "event": event, **facts}, ensure_ascii=False))
            return
        of = " ".join(str(facts[name]) for name in ("model", "data", "of") if facts.get(name))
        words = [f"{at:%H:%M:%S}Z", click.style(f"{event:<9}", fg=_COLOURS.get(event)), of, str(facts.get("why", ""))]
        say("  ".join(word for word in words if word).rstrip())
        if facts.get("fix"):
            say(f"{'':<12}do: {facts['fix']}")


def _models(root: Path, chosen: str | None) -> tuple[str, ...]:
    from gatewright.config.project import read_configuration
    from gatewright.workspace import CONFIG, Plugins

    configuration = read_configuration(root / CONFIG, Plugins())
    return (configuration.choose(chosen).model,) if chosen else tuple(configuration.projects)


def _refuse_undescribed(root: Path, chosen: str | None, start: str | None) -> None:
    """What cannot be used is told at once, not look after look."""
    from gatewright.cli.failures import BadCommand
    from gatewright.config.project import read_configuration
    from gatewright.workspace import CONFIG, Plugins

    configuration = read_configuration(root / CONFIG, Plugins())
    for project in [configuration.choose(chosen)] if chosen else configuration.projects.values():
        if start not in (None, "local", "branch", project.trigger.kind):
            what = f"--start {start} has to be described for {project.model}, whose trigger is {project.trigger.kind}"
            raise BadCommand(what, fix=f"gatewright.yaml: trigger: {{kind: {start}, …}}; docs/triggers.md")


def _trigger(workspace: Workspace, start: str | None) -> tuple[str, Trigger]:
    """The trigger of gatewright.yaml, or of another kind if that needs nothing to be told."""
    from gatewright.ports import Context
    from gatewright.workspace import Plugins

    told = workspace.project.trigger
    kind = start or told.kind
    plugins, options = Plugins(), told.options if kind == told.kind else None
    context = Context(
        root=workspace.root, model=workspace.project.model, database=workspace.database, clock=workspace.clock
    )
    found: Trigger = plugins.build("triggers", kind, options, context)
    return kind, found


def _once(watcher: Watch, root: Path, clock: Clock, *, wait: bool) -> int:
    """The exit code of one look: 1 when something is blocked, 4 when a start or a look failed, else 0."""
    seen = watcher.look()
    if watcher.troubled:
        return 4
    codes = [_EXITS.get(each.event, 0) for _, each in seen]
    if wait:
        codes += [_ended(each, root, clock) for _, each in seen if each.pid is not None]
    return max(codes, default=0)


def _ended(seen: Seen, root: Path, clock: Clock) -> int:
    """Wait for a run on this machine; its exit code, told by its record."""
    from gatewright.effects.processes import ProcessIdentity
    from gatewright.engine.ending import EXIT_OF
    from gatewright.store.runs import RECORD, Runs

    identity = ProcessIdentity.of(seen.pid or 0)
    while identity is not None and identity.alive():
        clock.sleep(0.2)
    assert seen.claim is not None
    run = Runs(root / ".gatewright" / "runs").find(seen.claim.run)
    record = run.read(RECORD) if run else None
    if record is None:
        say(f"run {seen.claim.run} did not end: see {seen.claim.place}", err=True)
        return 4
    kind = record.body["record"]["kind"]
    say(f"run {seen.claim.run}: {kind}, {record.body['record']['why']}", err=True)
    return EXIT_OF[kind]
