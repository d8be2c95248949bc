"""Telling people: after the effects of a look, within a small time, and never in the way of a decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.notice import QUIET_KINDS, Notice
from gatewright.domain.rollout import Rollout, World
from gatewright.effects.bounded import within
from gatewright.ports import Progress
from gatewright.rules.notices import worth_telling
from gatewright.store.notices import Letter
from gatewright.store.runs import LOCK
from gatewright.workspace import Workspace

LIMIT_S = 5.0
_LAST_WAIT_S = 7.0


def letters(
    workspace: Workspace, before: Rollout, after: Rollout, world: World, now: datetime
) -> tuple[tuple[Notice, str], ...]:
    """The news of a look, for every notifier that wants to hear of them."""
    news = worth_telling(before, after, world, now) if workspace.notifiers else ()
    commit = _commit(workspace, after) if news else ""
    return tuple(
        (replace(notice, commit=commit), name)
        for notice in news
        for name, addressee in workspace.notifiers.items()
        if (notice.kind in addressee.events if addressee.events else notice.kind not in QUIET_KINDS)
    )


def tell_due(workspace: Workspace, progress: Progress) -> None:
    """Tell what is due, all at once, and wait at most five seconds. What fails is a warning, and tried again later.

    The try is written down before it is made: after a crash in between a notice is told again, never lost.
    """
    if not workspace.notifiers:
        return
    try:
        due = workspace.notices.due(tuple(workspace.notifiers), workspace.clock.now())
        mine = [letter for letter in due if workspace.notices.claim(letter, workspace.clock.now())]
        for letter, error in _told(workspace, mine):
            if error is None:
                workspace.notices.told(letter, workspace.clock.now())
                continue
            workspace.notices.failed(letter, error)
            progress.warning(f"{letter.notifier} was not told that {letter.notice.text}: {error}")
    except WorldFailed as error:
        progress.warning(f"nobody could be told: {error}")


def tell_last(workspace: Workspace, progress: Progress) -> None:
    """Before the process ends: what failed is tried again as long as that is a matter of seconds."""
    names, waited = tuple(workspace.notifiers), 0.0
    while names and waited < _LAST_WAIT_S:
        try:
            due = workspace.notices.next_due(names)
        except WorldFailed:
            return
        left = (due - workspace.clock.now()).total_seconds() if due else _LAST_WAIT_S
        if waited + left >= _LAST_WAIT_S:
            return
        workspace.clock.sleep(max(left, 0.0))
        waited += max(left, 0.1)
        tell_due(workspace, progress)


def _commit(workspace: Workspace, rollout: Rollout) -> str:
    """The commit of the run that made the version; empty when it is not told. It never keeps a look from its end."""
    origin = rollout.origin or rollout.run
    try:
        run = workspace.runs.find(origin)
        lock = run.read(LOCK) if run is not None else None
    except (UnusableInput, OSError):
        lock = None
    if lock is not None:
        return str(lock.body.get("commit", ""))
    # In a CI the folder of the run may have stayed with an earlier job.
    told = (record.details.get("commit") for record in workspace.records.all() if record.run == origin)
    return next((str(commit) for commit in told if commit), "")


def _told(workspace: Workspace, mine: list[Letter]) -> list[tuple[Letter, str | None]]:
    """Each letter with what went wrong; those of one notifier one after the other, so that they come in order."""
    found: dict[str, list[Letter]] = {}
    for letter in mine:
        found.setdefault(letter.notifier, []).append(letter)
    taken: set[tuple[str, str]] = set()

    def tell(name: str) -> None:
        for letter in found[name]:
            workspace.notifiers[name].notifier.tell(letter.notice)
            taken.add((letter.notice.id, name))

    outcomes = within(LIMIT_S, {name: partial(tell, name) for name in found})
    return [
        (letter, None if (letter.notice.id, letter.notifier) in taken else outcomes[letter.notifier] or "not told")
        for letter in mine
    ]
