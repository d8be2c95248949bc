"""Calls that may hang: made in threads of their own, and waited for no longer than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait

from gatewright.domain.errors import GatewrightError, WorldFailed

_EXPECTED = (
    GatewrightError, ArithmeticError, AttributeError, ImportError, LookupError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


def within(seconds: float, calls: Mapping[str, Callable[[], None]]) -> dict[str, str | None]:
    """Make all `calls` at once; by name, why each failed, or None. One that has not ended by then goes on unheard.

    The threads do not keep the process from ending.
    """
    futures = {name: _started(name, call) for name, call in calls.items()}
    began = time.monotonic()
    wait(futures.values(), timeout=seconds)
    waited = time.monotonic() - began
    return {name: _outcome(future, waited) for name, future in futures.items()}


def _started(name: str, call: Callable[[], None]) -> Future[None]:
    future: Future[None] = Future()

    def run() -> None:
        try:
            call()
        except _EXPECTED as error:
            future.set_exception(error)
        else:
            future.set_result(None)
        finally:
            if not future.done():
                future.set_exception(WorldFailed("it broke off"))

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _outcome(future: Future[None], waited_s: float) -> str | None:
    if not future.done():
        return f"no answer within {waited_s:.0f} s"
    error = future.exception()
    if error is None:
        return None
    return str(error) if isinstance(error, GatewrightError) else f"{type(error).__name__}: {error}"
