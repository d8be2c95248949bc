"""`gatewright status`: what was recorded, and what is observed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option
from gatewright.cli.output import fit, milliseconds, points, say, say_json, span, table

if TYPE_CHECKING:
    from gatewright.workspace import Workspace

_COLOURS = {
    "promoted": "green", "shadowing": "cyan", "progressing": "cyan", "promoting": "cyan", "paused": "yellow",
    "rolling_back": "red", "rolled_back": "red", "ready": "green", "starting": "yellow", "gone": "red",
}  # fmt: skip
_INDENT = " " * 11
_SLICES = 3
ALERTS = {
    "blind": "nothing could be seen for five minutes",
    "weight": "the traffic shows another weight than it should have",
    "stable": "the stable version does not run",
    "registry": "the registry does not answer: the baseline cannot be moved",
}


@click.command()
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw the newest rollout into this file.")
@workspace_option
@output_option
def status(svg: Path | None, root: Path, output: Output) -> None:
    """What serves production, the rollout in progress, open runs and processes.

    "recorded" is what the state database says, "observed" what was read back from the gateway, or from the service that
    divides the traffic, just now. Works with either down, and with a registry that cannot be asked.

    \b
    Examples:
      gatewright status
      gatewright status --output json
      gatewright status --svg rollout.svg
    """
    from gatewright.engine.status import view

    workspace = opened(root)
    if svg is not None:
        _draw(workspace, svg)
        return
    found = view(workspace)
    if output == "json":
        say_json(found)
    else:
        _show(found, working={run.id for run in workspace.runs.open() if run.held()})


def _draw(workspace: Workspace, svg: Path) -> None:
    from gatewright.domain.errors import UnusableInput
    from gatewright.effects.files import write_atomic
    from gatewright.web.pictures import rollout_svg

    model = workspace.project.model
    rollout = workspace.rollouts.active(model) or workspace.rollouts.latest(model)
    if rollout is None:
        raise UnusableInput("there is no rollout to draw yet", fix="start one: gatewright run")
    records = [record for record in workspace.records.all() if record.rollout == rollout.id]
    write_atomic(svg, rollout_svg(rollout, workspace.rollouts.ticks(rollout), records).encode())
    say(f"{svg}: rollout {rollout.id}, {rollout.phase.value.replace('_', ' ')}")


def _show(found: dict[str, Any], working: set[str]) -> None:
    serving = found["serving"]
    _line("model", found["model"])
    known = f"version {serving['number']}  {serving['digest']}" if serving else "nothing yet"
    _line("serving", click.style(serving["error"], fg="yellow") if serving and "error" in serving else known)
    _show_traffic(found["traffic"], up=bool(found["processes"]) or not found["served_here"])
    if found["astray"]:
        _line("", click.style(f"{found['astray']}: gatewright serve start", fg="yellow"))
    show_rollout(found["rollout"])
    for number, letter in enumerate(found["undelivered"]):
        what = f"{letter['notifier']} was not told of {letter['id']}: {letter['error']}"
        tried = f"tried {letter['tries']} times{', given up' if letter['given_up'] else ''}"
        _line("" if number else "untold", click.style(fit(f"{tried}: {what}", used=len(_INDENT)), fg="yellow"))
    for number, run in enumerate(found["open_runs"]):
        what = "a process works on it" if run in working else f"go on: gatewright run --resume {run}"
        _line("" if number else "open runs", f"{run}  {click.style(what, dim=True)}")
    if not found["served_here"]:
        _line("runtime", f"nothing runs on this machine: served by {found['served_by']}")
    elif not found["processes"]:
        _line("runtime", "does not run: gatewright serve start")
    show_processes(found["processes"], indent=_INDENT, name="runtime")
    for pid in found["orphans"]:
        _line("orphan", click.style(f"pid {pid}: the supervisor does not know it", fg="yellow"))
    for number, (digest, why) in enumerate(found["quarantined"].items()):
        _line("" if number else "quarantine", fit(f"{digest}  {why}", used=len(_INDENT)))


def _show_traffic(traffic: dict[str, Any], *, up: bool) -> None:
    recorded, observed = _shares(traffic["recorded"]), _shares(traffic["observed"])
    if traffic["error"]:
        observed = traffic["error"] if up else "nothing: the gateway is not up"
    if recorded == observed:
        _line("traffic", f"{recorded}  {click.style('recorded and observed', dim=True)}")
        return
    _line("traffic", f"recorded  {recorded}")
    _line("", f"observed  {click.style(observed, fg='yellow')}")


def show_rollout(rollout: dict[str, Any] | None) -> None:
    """A rollout in words: phase, weight recorded and observed, hold, evidence against its limits."""
    if rollout is None:
        _line("rollout", "none yet")
        return
    ended = rollout["phase"] in ("promoted", "rolled_back")
    number = 0 if rollout["mirror"] else rollout["step"] + 1
    step = "" if ended else f"  step {number} of {rollout['steps']}"
    phase = rollout["phase"] + (f" ({rollout['pause']})" if rollout["pause"] else "")
    _line("rollout", f"{rollout['id']}  {_coloured(rollout['phase'], phase)}{step}")
    observed = "unknown" if rollout["observed"] is None else f"{rollout['observed']:g} %"
    if not ended:
        facts = [
            ("weight", f"recorded {rollout['weight']:g} %, observed {observed}"),
            *([("divided", f"by another machine; {rollout['elsewhere']} looked last")] if rollout["elsewhere"] else []),
            ("hold", f"{span(rollout['held_s'])} of {span(rollout['hold_s'])}"),
        ]
        if rollout["mirror"]:
            copied = f"recorded {rollout['mirror']:.4g}, observed {rollout['mirror_observed']:.4g}"
            facts.append(("copies", f"{copied} of the requests, answers thrown away"))
        else:
            needed = f"{rollout['needed_requests']:,} needed"
            facts.append(("requests", f"{rollout['requests']:,} by the canary in this step, {needed}"))
        if rollout["slow_after_ms"] is not None:
            facts.append(("slow", f"above {rollout['slow_after_ms']:g} ms"))
        if rollout["share"] and rollout["share"]["drawn"]:
            facts.append(("share", _in_share(rollout["share"])))
        if rollout["projected"] is not None:
            facts.append(
                ("ahead", f"{rollout['projected']} in about {span(rollout['projected_s'])}, if all goes on so")
            )
        table(facts, indent=_INDENT)
    say(_INDENT + fit(rollout["why"], used=len(_INDENT)))
    for alert in rollout["alerts"]:
        say(_INDENT + click.style(f"alert     {ALERTS[alert]}", fg="yellow"))
    _show_evidence(rollout["standings"])
    _show_p99(rollout["p99_ms"])
    _show_drift(rollout["drift"])
    _show_slices(rollout["slices"])
    _show_shadow(rollout["shadow"])


def _show_evidence(standings: list[dict[str, Any]]) -> None:
    if not standings:
        return
    rows = [
        (
            standing["metric"] + (" (lost reward)" if standing["by_reward"] else ""),
            f"{standing['canary_share']:.2%}",
            f"{standing['stable_share']:.2%}",
            points(standing["difference"]),
            f"{standing['e_rollback']:.3g} of {standing['rollback_limit']:.0f}",
            f"{standing['e_promote']:.3g} of {standing['promote_limit']:.0f}",
        )
        for standing in standings
    ]
    table(rows, head=("BAD REQUESTS", "CANARY", "STABLE", "DIFFERENCE", "e WORSE", "e ACCEPTABLE"), indent=_INDENT)


def _show_p99(arms: dict[str, Any] | None) -> None:
    """How long the slowest hundredth of each arm's answers takes at least."""
    shown = [f"{arm} {milliseconds(found)}" for arm, found in (arms or {}).items() if found is not None]
    if shown:
        say(f"{_INDENT}p99       {', '.join(shown)}")


def _show_drift(drift: dict[str, Any] | None) -> None:
    if drift is None:
        return
    limits = [
        (f"pause above {drift['pause_margin']:g}", drift["e_pause"]),
        (f"back above {drift['rollback_margin']:g}", drift["e_rollback"]),
    ]
    evidence = "  ".join(f"{name}: e {e:.3g} of {drift['limit']:.0f}" for name, e in limits)
    shares = f"canary {drift['canary_share']:.2%}, stable {drift['stable_share']:.2%}"
    say(_INDENT + fit(f"drift     {drift['what']}: {shares}  {evidence}", used=len(_INDENT)))


def _show_slices(found: dict[str, Any] | None) -> None:
    """All slices together against their limit, and the three that speak most against the canary."""
    if found is None:
        return
    say(f"{_INDENT}slices    e {found['e']:.3g} of {found['limit']:.0f}, the mean of {found['followed']}")
    rows = [
        (
            each["name"],
            each["metric"] + (" (lost reward)" if each["by_reward"] else ""),
            f"{each['canary_share']:.2%}",
            f"{each['stable_share']:.2%}",
            f"{each['canary_n']:,.0f}",
            f"{each['e']:.3g}",
        )
        for each in found["slices"][:_SLICES]
    ]
    table(rows, head=("WORST SLICES", "BAD", "CANARY", "STABLE", "OF", "e WORSE"), indent=_INDENT)


def _in_share(share: dict[str, Any]) -> str:
    again = f", written again {share['reapplied']} times" if share["reapplied"] else ""
    drawn = f"{share['observed']:.2%} of {share['drawn']:,} draws fell on the canary"
    return f"{drawn} (e {share['e']:.3g} of {share['limit']:.0f}{again})"


def _show_shadow(shadow: dict[str, Any] | None) -> None:
    if shadow is not None:
        say(_INDENT + fit(f"shadow    {in_shadow(shadow)}", used=len(_INDENT)))


def in_shadow(shadow: dict[str, Any]) -> str:
    """What step 0 has shown, in words."""
    words = [f"{shadow['answered']:,} of {shadow['asked']:,} copies answered"]
    if shadow["equal_share"] is not None:
        words.append(f"{shadow['equal_share']:.2%} as stable did")
    if shadow["what"]:
        drift = f"e {shadow['e_pause']:.3g} (pause), {shadow['e_rollback']:.3g} (back) of {shadow['limit']:.0f}"
        words.append(f"{shadow['what']}: {100 * shadow['difference']:+.2f} points, {drift}")
    return "; ".join(words)


def show_processes(rows: list[dict[str, Any]], indent: str = "", name: str = "") -> None:
    """The runtime's processes, aligned; restarts and errors only where there are any."""
    cells = []
    for row in rows:
        trouble = [f"restarts {row['restarts']}"] if row["restarts"] else []
        trouble += [click.style(row["error"], fg="red")] if row["error"] else []
        port = f"port {row['port']}" if row["port"] else ""
        cells.append((row["name"], _coloured(row["state"]), f"pid {row['pid']}", port, "  ".join(trouble)))
    table(cells, indent=indent, name=name)


def _line(name: str, text: str) -> None:
    say(f"{name:<{len(_INDENT)}}{text}".rstrip())


def _coloured(state: str, text: str | None = None) -> str:
    return click.style(text or state, fg=_COLOURS.get(state))


def _shares(shares: dict[str, float] | None) -> str:
    return ", ".join(f"{name} {share:g} %" for name, share in shares.items()) if shares else "nothing"
