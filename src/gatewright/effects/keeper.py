"""Keeps one command: whatever it started is ended with it, and all of it when whoever asked for it is gone.

A program of its own, standard library only: `python -I -S keeper.py PARENT GRACE COMMAND [ARGUMENT…]`. It adopts
orphans (PR_SET_CHILD_SUBREAPER, Linux), so a daemon that left its session is still found as a descendant. SIGTERM
ends everything: SIGTERM to all descendants, SIGKILL to those left after GRACE seconds. It ends as the command did.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_LAST_RESORT_S = 5.0
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def main(arguments: Sequence[str]) -> int:
    """Run the command to its end; returns its exit code, or ends by the signal that ended it."""
    parent, grace_s, argv = int(arguments[0]), float(arguments[1]), list(arguments[2:])
    if not keep(parent):
        return 128 + signal.SIGTERM
    try:
        command = os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0, setsigmask=(), setsigdef=_IGNORED_BY_PYTHON)
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]!r}: {error.strerror}\n")
        return 126
    status = attend(command)
    end_descendants(grace_s)
    return leave(status)


def attend(command: int, unwanted: Callable[[], bool] = lambda: False, every_s: float = 3600.0) -> int | None:
    """The wait status of `command`; None when everything is to end before it did.

    `unwanted` says, asked every `every_s` seconds, that nobody waits for the command any more.
    """
    while not unwanted():
        heard = signal.sigtimedwait({*_ENDING, signal.SIGCHLD}, every_s)
        if heard is None:
            continue
        if heard.si_signo != signal.SIGCHLD:
            return None
        status = reap(command)
        if status is not None:
            return status
    return None


def keep(parent: int) -> bool:
    """Become the one that adopts orphans, hears of ended children, and ends with `parent`; False if that is gone."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_ENDING, signal.SIGCHLD})
    control = ctypes.CDLL(None).prctl
    control(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return ends_with(parent, signal.SIGTERM)


def ends_with(parent: int, number: int) -> bool:
    """Have the kernel send signal `number` to this process when its parent ends; False if `parent` is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    return os.getppid() == parent


def reap(command: int = 0) -> int | None:
    """Collect every child that has ended; the wait status of `command` if it is among them."""
    status = None
    while True:
        try:
            pid, found = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == command:
            status = found


def end_descendants(grace_s: float) -> None:
    """SIGTERM to each descendant once, SIGKILL to what is left after `grace_s`; returns when none is left.

    None is left when this process has no child, since it adopts orphans. A look through /proc that finds none does not
    prove it: while it reads, a process may start another one and end. What even SIGKILL does not end (another user's
    process, a hung disk) is given up after five more seconds.
    """
    deadline = time.monotonic() + grace_s
    asked: set[int] = set()
    while has_children() and time.monotonic() < deadline + _LAST_RESORT_S:
        living = descendants(os.getpid())
        overdue = time.monotonic() >= deadline
        for pid in living if overdue else living - asked:
            send(pid, signal.SIGKILL if overdue else signal.SIGTERM)
        asked |= living
        signal.sigtimedwait({signal.SIGCHLD}, 0.05)
        reap()
    reap()


def has_children() -> bool:
    """Whether there is any child, be it one that has ended and was not collected yet."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def descendants(ancestor: int) -> set[int]:
    """Pids of the children of `ancestor`, their children and so on; what has ended already is left out."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state not in "ZX":
                parents[int(entry.name)] = int(parent)
    found = {ancestor}
    size = 0
    while size != len(found):
        size = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {ancestor}


def send(pid: int, number: int) -> None:
    """Signal `pid`; gone already, or not ours to signal, is fine."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def leave(status: int | None) -> int:
    """The exit code for a wait status; a command that died by a signal makes this process die by it too."""
    if status is None:
        return 128 + signal.SIGTERM
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, set(signal.valid_signals()))
        os.kill(os.getpid(), number)
    return os.WEXITSTATUS(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
