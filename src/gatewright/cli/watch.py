"""`gatewright rollout status --watch`: a rollout live, until it ends."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gatewright.cli.options import Output
from gatewright.cli.output import points, say, span
from gatewright.cli.status import in_shadow, show_rollout

if TYPE_CHECKING:
    from gatewright.domain.rollout import Rollout
    from gatewright.workspace import Workspace

_EVERY_S = 1.0
_REFRESH_S = 15.0
_ENDED = ("promoted", "rolled_back")


def watch(workspace: Workspace, rollout: Rollout, output: Output) -> None:
    """Show every look of the rollout until it has ended; nothing is changed, and Ctrl-C only ends the showing.

    On a terminal one picture that renews itself, elsewhere a line when something has changed, for programs a JSON
    document a line.
    """
    if output == "json":
        _each_change(workspace, rollout, lambda view: say(json.dumps(view, ensure_ascii=False, allow_nan=False)))
    elif sys.stdout.isatty():
        _live(workspace, rollout)
    else:
        _each_change(workspace, rollout, lambda view: say(line(view)))


def line(view: dict[str, Any]) -> str:
    """One look in one line: phase, weights, hold, e-values against their limits, requests, what it is heading for."""
    observed = "unknown" if view["observed"] is None else f"{view['observed']:g} %"
    words = [
        f"{view['phase']} step {0 if view['mirror'] else view['step'] + 1} of {view['steps']}",
        f"asked {view['weight']:g} %, is {observed}",
    ]
    if view["phase"] not in _ENDED:
        words.append(f"hold {span(view['held_s'])} of {span(view['hold_s'])}")
        if view["mirror"]:
            words.append(in_shadow(view["shadow"]) if view["shadow"] else "no copy answered yet")
        else:
            words.append(f"{view['requests']:,} of {view['needed_requests']:,} requests")
    for each in view["standings"]:
        worse = f"e {each['e_rollback']:.3g} of {each['rollback_limit']:.0f} worse"
        acceptable = f"{each['e_promote']:.3g} of {each['promote_limit']:.0f} acceptable"
        words.append(f"{each['metric']} {points(each['difference'])}, {worse}, {acceptable}")
    if seen := view["slices"]:
        words.append(f"slices e {seen['e']:.3g} of {seen['limit']:.0f} worse, most in {seen['slices'][0]['name']}")
    if view["projected"] is not None:
        words.append(f"{view['projected']} in about {span(view['projected_s'])}")
    return "; ".join(words if view["phase"] not in _ENDED else [*words, view["why"]])


def looks(workspace: Workspace, rollout: Rollout) -> Iterator[dict[str, Any]]:
    """The rollout as it is, once a second; the last one is the end."""
    from gatewright.engine.status import rollout_view

    while True:
        workspace.rollouts.refresh(older_than_s=_REFRESH_S)
        rollout = workspace.rollouts.get(rollout.id) or rollout
        yield rollout_view(workspace, rollout)
        if rollout.phase.terminal:
            return
        workspace.clock.sleep(_EVERY_S)


def _each_change(workspace: Workspace, rollout: Rollout, tell: Callable[[dict[str, Any]], None]) -> None:
    last: dict[str, Any] | None = None
    for view in looks(workspace, rollout):
        if view != last:
            tell(view)
        last = view


def _live(workspace: Workspace, rollout: Rollout) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for view in looks(workspace, rollout):
            live.update(Text.from_ansi(_picture(view)), refresh=True)


def _picture(view: dict[str, Any]) -> str:
    """What `rollout status` prints, as text."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        show_rollout(view)
    return told.getvalue().rstrip()
