"""The nursery: `python -m gatewright.serving.nursery PARENT FOLDER`, a process that has loaded what scoring needs.

The import of scikit-learn and skops costs a second and a half; a fork of a process that has them costs milliseconds.
For each request (effects/nursery.py) it forks a keeper, which forks the child that scores: so everything that the child
starts is ended with it, when it is done, when the asker hangs up, and when this process ends. It ends with its parent.

A fork is safe only while there is a single thread, so the count is read before each one. Polars starts a thread when it
is imported and is left to the child. Where the asker's surroundings are not those in which the libraries were loaded,
the request is refused; once they are no longer so here either, this process ends to be started anew.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.effects import keeper
from gatewright.effects.nursery import Refused, hung_up, listen, receive, tell
from gatewright.effects.surroundings import surroundings
from gatewright.serving import scoring
from gatewright.serving.process import limit_threads, say_error, say_json, skip_absent_pandas

_GRACE_S = 2.0
_LISTEN_EVERY_S = 0.2
_LIBRARIES = ("numpy", "skops.io", "gatewright.serving.models", "gatewright.serving.latency")


def main(arguments: Sequence[str] | None = None) -> int:
    parent, folder = arguments if arguments is not None else sys.argv[1:]
    if not keeper.ends_with(int(parent), signal.SIGTERM):
        return WorldFailed.exit_code
    environment = dict(os.environ)  # as it was given to us: loading adds to it
    known = surroundings(environment, Path.cwd())
    try:
        _load()
        listener = listen(Path(folder))
    except ImportError as error:
        return say_error(UnusableInput(f"{error.name} is not installed", fix="pip install 'gatewright[serve]'"))
    except OSError as error:
        return say_error(WorldFailed(f"cannot listen in {folder}: {error}", fix="scoring goes on without it"))
    signal.signal(signal.SIGCHLD, _reap)
    say_json({"ready": True, "pid": os.getpid()})
    job = _serve(listener, known, lambda: surroundings(environment, Path.cwd()) == known)
    if job is None:
        return 0
    code = scoring.main(job)  # only a child comes here
    sys.stdout.flush()
    os._exit(code)


def _load() -> None:
    limit_threads()
    skip_absent_pandas()
    for name in _LIBRARIES:
        importlib.import_module(name)
    # What is loaded stays: no collection shall walk it, and so copy its pages in every child.
    gc.collect()
    gc.freeze()


def _reap(*_: object) -> None:
    keeper.reap()


def threads() -> int:
    """How many threads this process has."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Threads:"))
    return int(line.split()[1])


def _serve(listener: socket.socket, known: str, up_to_date: Callable[[], bool]) -> list[str] | None:
    """Answer until what lies on disk is no longer what was loaded; in a child, the arguments of its work."""
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                request, output = receive(connection)
            except Refused as error:
                tell(connection, {"refused": str(error)})
                continue
            try:
                why = _objection(request, known)
                if why is None and not hung_up(connection):
                    arguments = _fork(listener, connection, request, output)
                    if arguments is not None:
                        return arguments
                elif why is not None:
                    tell(connection, {"refused": why})
            finally:
                os.close(output)
        if why is not None and not up_to_date():
            return None


def _objection(request: Mapping[str, Any], known: str) -> str | None:
    if request.get("surroundings") != known:
        return "it was loaded in other surroundings (packages, sources, variables or limits)"
    if (count := threads()) != 1:
        return f"it has {count} threads, and may fork with one only"
    return None


def _fork(
    listener: socket.socket, connection: socket.socket, request: Mapping[str, Any], output: int
) -> list[str] | None:
    """Fork the keeper; in the child that it forks in turn, the arguments of its work."""
    nursery = os.getpid()
    try:
        if os.fork():
            return None
    except OSError as error:
        tell(connection, {"refused": f"it cannot fork: {error.strerror}"})
        return None
    listener.close()
    os.setsid()
    mine = os.getpid()
    if not keeper.keep(nursery):
        os._exit(1)
    child = os.fork()
    if child:
        os.close(output)
        _keep(connection, child)
    if not keeper.ends_with(mine, signal.SIGKILL):
        os._exit(1)
    return _become(request, output)


def _keep(connection: socket.socket, child: int) -> NoReturn:
    """The keeper's life: hand over, watch both sides, end what is left, tell."""
    tell(connection, {"pid": os.getpid()})
    status = keeper.attend(child, lambda: hung_up(connection), _LISTEN_EVERY_S)
    keeper.end_descendants(_GRACE_S)
    if status is not None:
        tell(connection, {"code": os.waitstatus_to_exitcode(status)})
    os._exit(0)


def _become(request: Mapping[str, Any], output: int) -> list[str]:
    """Make this child what a process started by the asker would be; returns the arguments of its work."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.argv = [scoring.__name__, *request["arguments"]]
    # Each child draws anew, as each process does.
    random.seed()
    with contextlib.suppress(KeyError):
        sys.modules["numpy"].random.seed()
    return list(request["arguments"])


if __name__ == "__main__":
    sys.exit(main())
