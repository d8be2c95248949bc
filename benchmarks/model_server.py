"""What one request costs: our model server beside `mlflow models serve`, same models, same rows, same scikit-learn.

The example's logistic and boosting models are trained by its own script. Both servers run one worker on the loopback
address and are asked in turns over kept connections, by one client or by eight, each of which waits for its answer
before it asks again. CPU time is that of the server's process and its children, from /proc, over all requests of a
round, divided by their number. `predict` alone is called with the same rows in a tight loop without any server: what
no server can save, unless it predicts several requests at once, as ours does when they come together.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
from measuring import (
    PEERS,
    RESULTS,
    ROOT,
    BenchmarkFailed,
    free_port,
    measured,
    progress,
    publish,
    quantile,
    table,
    told,
    tree_cpu_s,
)

EXAMPLE = ROOT / "examples" / "employment"
RECIPES = ("logistic", "boosting")
CASES = {"1 row, 1 client": (1, 1), "1 row, 8 clients": (1, 8), "100 rows, 1 client": (100, 1)}
CPU_GOAL_US, RATIO_GOAL = 250, 5
_START_S = 120.0
_WARM_UP = 100
_ALONE = """
import sys, time
from pathlib import Path
from gatewright.serving.process import limit_threads, skip_absent_pandas
limit_threads()
skip_absent_pandas()
import numpy as np
from gatewright.serving.models import load
model = load(Path(sys.argv[1])).estimator
rows = np.load(sys.argv[2])
size, times = int(sys.argv[3]), int(sys.argv[4])
parts = [rows[n * size : (n + 1) * size] for n in range(len(rows) // size)]
for part in parts[:50]:
    model.predict(part)
begin = time.process_time()
for n in range(times):
    model.predict(parts[n % len(parts)])
print((time.process_time() - begin) / times * 1e6)
"""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(slots=True)
class Server:
    """A server under measurement: where it listens, what to send, and what was measured."""

    name: str
    pid: int
    port: int
    path: str
    key: str
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    latencies_ms: dict[str, list[float]] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1500, help="1-row requests of a round; 100-row ones: a fifth")
    parser.add_argument("--mlflow", type=Path, default=PEERS / "mlflow")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    rows: list[Sequence[str]] = []
    for recipe in RECIPES:
        folder = _train(recipe)
        bodies = _rows(folder)
        servers, alone = _measure(recipe, folder, bodies, options)
        for case, (size, _) in CASES.items():
            figures[f"{recipe}, {case}"] = _figures(servers, case, alone[size])
            rows.append(_row(f"{recipe}, {case}", figures[f"{recipe}, {case}"]))
    _publish(rows, figures)


def _train(recipe: str) -> Path:
    """The example's model by this recipe, as an artifact and as an MLflow model beside it; made once."""
    folder = RESULTS / "models" / recipe
    if (folder / "mlflow" / "MLmodel").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    progress(f"{recipe}: training with the example's script")
    data = EXAMPLE / "data" / "acs" / "2015.parquet"
    words = ["--data", str(data), "--data-version", "2015", "--experiment-name", "benchmark", "--recipe", recipe]
    script = EXAMPLE / "training" / "train.py"
    measured([sys.executable, str(script), *words, "--output-dir", str(folder / "artifact")], cwd=ROOT)
    converter = Path(__file__).with_name("mlflow_model.py")
    source = folder / "artifact" / "model.skops"
    env = _environment(folder)
    measured([PEERS / "python", converter, source, folder / "mlflow"], cwd=folder, env=env)
    return folder


def _rows(folder: Path) -> list[list[float]]:
    """Complete rows of another year, in the order of the model's inputs; also left as a file for `predict` alone."""
    import numpy as np

    signature = json.loads((folder / "artifact" / "signature.json").read_text("utf-8"))
    names = [entry["name"] for entry in signature["inputs"]]
    source = EXAMPLE / "data" / "acs" / "2018.parquet"
    matrix = pl.read_parquet(source, columns=names).select(pl.col(names).cast(pl.Float64)).drop_nulls().head(5000)
    np.save(folder / "rows.npy", matrix.to_numpy())
    found: list[list[float]] = matrix.to_numpy().tolist()
    return found


def _measure(
    recipe: str, folder: Path, rows: list[list[float]], options: argparse.Namespace
) -> tuple[dict[str, Server], dict[int, list[float]]]:
    alone: dict[int, list[float]] = {size: [] for size, _ in CASES.values()}
    with ExitStack() as stack:
        progress(f"{recipe}: starting both servers")
        servers = {
            "gatewright": stack.enter_context(_ours(folder)),
            "mlflow": stack.enter_context(_mlflow(folder, options.mlflow)),
        }
        _check_same_answers(servers, folder, rows)
        for number in range(1, options.repetitions + 1):
            progress(f"{recipe}: round {number} of {options.repetitions}")
            for case, (size, clients) in CASES.items():
                count = options.requests if size == 1 else options.requests // 5
                for server in servers.values():
                    _round(server, case, _bodies(server, folder, rows, size), count, clients)
            for size, costs in alone.items():
                costs.append(_alone(folder, size, options.requests))
    return servers, alone


def _bodies(server: Server, folder: Path, rows: list[list[float]], size: int) -> list[bytes]:
    """Request bodies of `size` rows each, encoded beforehand."""
    signature = json.loads((folder / "artifact" / "signature.json").read_text("utf-8"))
    names = [entry["name"] for entry in signature["inputs"]]
    parts = [rows[start : start + size] for start in range(0, min(len(rows) - size, 200 * size), size)]
    if server.name == "mlflow":
        return [json.dumps({server.key: part}).encode() for part in parts]
    return [json.dumps({server.key: [dict(zip(names, row, strict=True)) for row in part]}).encode() for part in parts]


def _round(server: Server, case: str, bodies: list[bytes], count: int, clients: int) -> None:
    """`count` requests by so many clients, each with a connection of its own that is there before the clock starts."""
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(clients)]
    for number in range(_WARM_UP):
        _ask(connections[number % clients], server, bodies[number % len(bodies)])
    times: list[float] = []

    def ask(connection: http.client.HTTPConnection) -> None:
        for number in range(count // clients):
            begin = time.perf_counter()
            _ask(connection, server, bodies[number % len(bodies)])
            times.append((time.perf_counter() - begin) * 1e3)

    before = tree_cpu_s(server.pid)
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, connections))
    server.cpu_us.setdefault(case, []).append((tree_cpu_s(server.pid) - before) / len(times) * 1e6)
    server.latencies_ms.setdefault(case, []).extend(times)
    for connection in connections:
        connection.close()


def _ask(connection: http.client.HTTPConnection, server: Server, body: bytes) -> list[int]:
    connection.request("POST", server.path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise BenchmarkFailed(f"{server.name} answered {answer.status}: {said[:300]!r}")
    found: list[int] = json.loads(said)["predictions"]
    return found


def _check_same_answers(servers: dict[str, Server], folder: Path, rows: list[list[float]]) -> None:
    given = []
    for server in servers.values():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        given.append([_ask(connection, server, body) for body in _bodies(server, folder, rows, 100)[:10]])
        connection.close()
    if given[0] != given[1]:
        raise BenchmarkFailed("the two servers answer differently: they do not serve the same model")


def _alone(folder: Path, size: int, count: int) -> float:
    arguments = (str(folder / "artifact"), str(folder / "rows.npy"), str(size), str(count))
    return float(measured([sys.executable, "-c", _ALONE, *arguments], cwd=ROOT).output)


@contextmanager
def _ours(folder: Path) -> Iterator[Server]:
    """`python -m gatewright.serving.server`, as the supervisor starts it."""
    from gatewright.effects.files import measure_artifact

    artifact = folder / "artifact"
    words = ["--artifact", str(artifact), "--model", "employment", "--digest", measure_artifact(artifact).digest]
    argv = [sys.executable, "-m", "gatewright.serving.server", *words]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline() or "{}")
        if "port" not in said:
            raise BenchmarkFailed(f"our server did not start: {said}")
        yield Server("gatewright", process.pid, said["port"], "/predict", "instances")
    finally:
        process.terminate()
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


@contextmanager
def _mlflow(folder: Path, mlflow: Path) -> Iterator[Server]:
    """`mlflow models serve` with one worker, in a session of its own, of which nothing is left at the end."""
    port = free_port()
    words = ["--model-uri", str(folder / "mlflow"), "--env-manager", "local", "--workers", "1"]
    argv = [str(mlflow), "models", "serve", *words, "--host", "127.0.0.1", "--port", str(port)]
    log = (folder / "mlflow.log").open("wb")
    process = subprocess.Popen(
        argv, cwd=folder, env=_environment(folder), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    log.close()
    try:
        _wait_for(process, port, folder / "mlflow.log")
        yield Server("mlflow", process.pid, port, "/invocations", "inputs")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """One thread per library, as our server has; no telemetry, and everything it writes below `folder`."""
    return {
        **os.environ,
        **dict.fromkeys(_THREADS, "1"),
        "PATH": os.pathsep.join([str(PEERS), os.environ.get("PATH", os.defpath)]),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    raise BenchmarkFailed(f"mlflow models serve does not answer:\n{log.read_text(errors='replace')[-2000:]}")


def _figures(servers: dict[str, Server], case: str, alone: list[float]) -> dict[str, Any]:
    ours, theirs = servers["gatewright"], servers["mlflow"]
    return {
        "cpu_us": {name: server.cpu_us[case] for name, server in servers.items()},
        "predict_alone_us": alone,
        "ratio": median(theirs.cpu_us[case]) / median(ours.cpu_us[case]),
        "p50_ms": {name: quantile(server.latencies_ms[case], 0.5) for name, server in servers.items()},
        "p99_ms": {name: quantile(server.latencies_ms[case], 0.99) for name, server in servers.items()},
    }


def _row(name: str, figures: dict[str, Any]) -> Sequence[str]:
    cpu, p50, p99 = figures["cpu_us"], figures["p50_ms"], figures["p99_ms"]
    return (
        name,
        told(cpu["gatewright"], 0),
        told(figures["predict_alone_us"], 0),
        told(cpu["mlflow"], 0),
        f"{figures['ratio']:.1f}",
        f"{p50['gatewright']:.2f} / {p99['gatewright']:.2f}",
        f"{p50['mlflow']:.2f} / {p99['mlflow']:.2f}",
    )


def _publish(rows: list[Sequence[str]], figures: dict[str, Any]) -> None:
    head = ("CPU µs a request", "gatewright", "predict alone", "mlflow", "mlflow : ours", "p50 / p99 ms", "mlflow's")
    lines = [table("Model server, beside `mlflow models serve`", head, rows), ""]
    for name, entry in figures.items():
        if " 1 row" in name:
            cost, ratio = median(entry["cpu_us"]["gatewright"]), entry["ratio"]
            low, many = ("kept" if good else "MISSED" for good in (cost <= CPU_GOAL_US, ratio >= RATIO_GOAL))
            lines.append(
                f"{name}: goal ≤ {CPU_GOAL_US} µs: {low} ({cost:.0f}); ≥ {RATIO_GOAL} × less: {many} ({ratio:.1f} ×)."
            )
    publish("model_server", "\n".join(lines), figures)


if __name__ == "__main__":
    main()
