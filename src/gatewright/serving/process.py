"""What both processes of this room need beside their work: threads, imports, lines of JSON, the watch on stdin."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from gatewright.domain.errors import GatewrightError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit_threads() -> None:
    """One thread per library unless the environment says otherwise; only before numpy is first imported."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")


def skip_absent_pandas() -> None:
    """Make `import pandas` fail at once where it is not installed.

    scikit-learn 1.9 tries that import up to six times in one prediction, and each search of the path costs 70 µs.
    """
    if any(isinstance(finder, _AbsentPandas) for finder in sys.meta_path):
        return
    if importlib.util.find_spec("pandas") is None:
        sys.meta_path.insert(0, _AbsentPandas())


class _AbsentPandas:
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def say(text: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(content: Mapping[str, object]) -> None:
    say(json.dumps(content, ensure_ascii=False))


def say_error(error: GatewrightError) -> int:
    """The error as one line of JSON; returns its exit code."""
    say_json({"error": str(error), "fix": error.fix})
    return error.exit_code


def when_stdin_ends(act: Callable[[], None], *, grace_s: float) -> None:
    """Call `act` when standard input reaches its end; `grace_s` seconds later the process is gone, whatever it does."""

    def watch() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:  # no standard input at all: nobody holds the other end
            pass
        act()
        threading.Event().wait(grace_s)
        os._exit(1)

    threading.Thread(target=watch, name="stdin", daemon=True).start()
