"""A model server process: `python -m gatewright.serving.server --artifact DIR --model NAME --digest sha256:…`.

Prints one line of JSON once it answers, `{"port": …, "digest": …, "pid": …}`, or `{"error": …, "fix": …}` and exits by
the error's class. Ends on SIGTERM after the requests in flight, and by itself when its standard input reaches the end:
its supervisor holds the other end of that pipe and lives no longer than it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.domain.errors import DigestChanged, GatewrightError, WorldFailed
from gatewright.effects.files import measure_artifact
from gatewright.effects.signing import check_signature
from gatewright.serving.process import limit_threads, say_error, say_json, skip_absent_pandas, when_stdin_ends

if TYPE_CHECKING:
    import uvicorn

    from gatewright.serving.models import LoadedModel
    from gatewright.serving.prediction_log import PredictionLog

WARM_UP = 50
_GRACE_S = 2
# Longer than a proxy keeps an idle connection (Envoy: 1 h); else a request can meet a connection that is just closing.
_KEEP_ALIVE_S = 7200
_BACKLOG = 2048


@dataclass(slots=True)
class _Process:
    """What signals and the watcher of standard input must reach: the server, once there is one."""

    server: uvicorn.Server | None = None

    def end(self) -> None:
        if self.server is None:
            os._exit(say_error(WorldFailed("standard input ended", fix="hold a pipe to it as long as it shall serve")))
        self.server.should_exit = True

    def interrupt(self, *_: object) -> None:
        if self.server is None:
            sys.exit(0)
        self.server.should_exit = True


def main(arguments: Sequence[str] | None = None) -> int:
    options = _read_arguments(arguments)
    process = _Process()
    when_stdin_ends(process.end, grace_s=_GRACE_S + 1)
    # The server hands a signal on when it is done with it; without a handler that would end us by the signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, process.interrupt)
    limit_threads()
    skip_absent_pandas()
    try:
        if options.signature is not None:
            check_signature(options.artifact, options.signature, options.public_key)
        model = _load(options.artifact, options.digest, options.allow_code)
        listener = _bind(options.host, options.port)
    except GatewrightError as error:
        return say_error(error)
    _serve(process, model, options, listener)
    return 0


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gatewright.serving.server", description="Serve one model over HTTP.")
    parser.add_argument("--artifact", type=Path, required=True, help="folder with the model and signature.json")
    parser.add_argument("--allow-code", action="store_true", help="an MLflow folder may hold pickles and code")
    parser.add_argument("--model", required=True, help="name under which the model answers")
    parser.add_argument("--digest", required=True, help="sha256:… that the artifact must have")
    parser.add_argument("--signature", type=Path, help="signature that the artifact must have; with --public-key")
    parser.add_argument("--public-key", type=Path, default=Path("missing"), help="PEM file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--prediction-log", type=Path, help="folder for what it answers and for labels")
    parser.add_argument("--prediction-log-mb", type=int, default=256, help="how large it may grow; 0 writes none")
    parser.add_argument("--log-features", default="[]", help="JSON list of the inputs to log besides")
    parser.add_argument("--user-header", default="x-user-id", help="header that names the user")
    return parser.parse_args(arguments)


def _load(folder: Path, digest: str, allow_code: bool) -> LoadedModel:
    # Before the imports that take a second; what counts is the digest of the bytes that are then loaded.
    _check_digest(folder, digest, measure_artifact(folder).digest)
    from gatewright.serving.models import load

    model = load(folder, allow_code=allow_code)
    _check_digest(folder, digest, model.digest)
    model.warm_up(WARM_UP)
    return model


def _check_digest(folder: Path, recorded: str, found: str) -> None:
    if found != recorded:
        raise DigestChanged(f"the artifact {folder}", recorded=recorded, found=found)


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise WorldFailed(
            f"cannot listen on {host}:{port}: {error}", fix="choose another port, or 0 for a free one"
        ) from error
    return listener


def _serve(process: _Process, model: LoadedModel, options: argparse.Namespace, listener: socket.socket) -> None:
    import uvicorn

    from gatewright.serving.app import ModelApp

    log = _prediction_log(model, options)
    config = uvicorn.Config(
        ModelApp(model, options.model, log, user_header=options.user_header),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )

    class Announced(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            say_json({"port": listener.getsockname()[1], "digest": model.digest, "pid": os.getpid()})

    # What is loaded now stays: unfrozen, each full collection walks it all and holds up the requests for 130 ms.
    gc.collect()
    gc.freeze()
    process.server = Announced(config)
    try:
        process.server.run(sockets=[listener])
    finally:
        if log is not None:
            log.close()


def _prediction_log(model: LoadedModel, options: argparse.Namespace) -> PredictionLog | None:
    from gatewright.serving.prediction_log import PredictionLog, logged

    if options.prediction_log is None or not options.prediction_log_mb:
        return None
    return PredictionLog(
        options.prediction_log,
        model.short_digest,
        limit=options.prediction_log_mb << 20,
        columns=model.signature.names,
        features=logged(model.signature.names, json.loads(options.log_features)),
    )


if __name__ == "__main__":
    sys.exit(main())
