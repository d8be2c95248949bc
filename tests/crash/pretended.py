"""What stands in for the network and for model servers in a process of a crash test."""

from __future__ import annotations

import http.client
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gatewright.adapters.traffic.envoy import gateway
from gatewright.domain.routing import Endpoint, cluster_name
from gatewright.effects.files import measure_artifact
from gatewright.engine import model_runtime, operator
from gatewright.engine.forked_scoring import SCORING
from gatewright.engine.model_runtime import ModelRuntime
from gatewright.engine.stages import canary, finish
from gatewright.ports import Executor, Job, JobResult, Progress
from gatewright.workspace import Workspace
from tests.crash.outside import Outside


@dataclass(slots=True, kw_only=True)
class PretendedServer:
    """As engine.servers.ModelServer: up once it has read the model; it stays up when this process is killed."""

    outside: Outside
    model: str
    digest: str
    folder: str
    root: Path
    log: Path
    settings: tuple[str, ...] = ()
    process: None = None
    endpoint: Endpoint | None = None
    restarts: int = 0
    answered: bool = False
    error: str | None = None
    looks: int = field(default=0)

    @property
    def name(self) -> str:
        return cluster_name(self.digest)

    @property
    def ready(self) -> bool:
        return self.endpoint is not None

    @property
    def _up(self) -> Path:
        return self.outside.servers / self.name

    def look(self) -> bool:
        self.looks += 1
        if self.ready or (self.looks == 1 and not self._up.exists()):
            return False  # it takes a look to load
        if not self._up.exists():
            found = measure_artifact(self.root / self.folder).digest
            self.outside.journal.add("loaded", cluster=self.name, digest=found)
            self._up.write_text(self.digest)
        self.endpoint, self.answered = Endpoint(port=10_000 + zlib.crc32(self.name.encode()) % 50_000), True
        return True

    def stop(self) -> None:
        self.outside.journal.add("unloaded", cluster=self.name)
        self._up.unlink(missing_ok=True)
        self.endpoint = None


class PretendedGatewayProcess:
    """A proxy that never ends; pid 1 is sure to be alive."""

    pid = 1
    restarts = 0
    error = None

    def __init__(self, gateway: object, *, folder: Path, log_file: Path) -> None:
        pass

    def watch(self) -> bool:
        return False

    def ready(self) -> bool:
        return True


class Connection:
    """As http.client.HTTPConnection, to the gateway's admin interface."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self.status = 200
        self._said = b""

    def request(self, method: str, target: str, body: object, headers: object) -> None:
        self._said = self._outside.answer(target)

    def getresponse(self) -> Connection:
        return self

    def read(self, limit: int) -> bytes:
        return self._said

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CannedScoring:
    """Port `Executor`: the real one, but scoring is a copy of answers that lie ready."""

    real: Executor
    answers: Path

    def run(self, job: Job, progress: Progress) -> JobResult:
        if job.argv[1:3] == SCORING:
            output = Path(job.argv[3]).parent / "predictions"
            job = replace(job, argv=("cp", "-rT", str(self.answers), str(output)))
        return self.real.run(job, progress)


def pretend(outside: Outside) -> None:
    """Put the outside in place of network and model servers, in this process, for good."""
    clock = outside.clock
    http.client.HTTPConnection = lambda *_, **__: Connection(outside)  # type: ignore[assignment,misc]
    gateway.wait_until = clock.wait_until  # type: ignore[assignment]
    model_runtime.time = SimpleNamespace(monotonic=clock.seconds)  # type: ignore[assignment]
    model_runtime.GatewayProcess = PretendedGatewayProcess  # type: ignore[assignment,misc]
    model_runtime.ModelServer = lambda **words: PretendedServer(outside=outside, **words)  # type: ignore[assignment,misc]

    def ensure(workspace: Workspace) -> None:
        if outside.supervisor is None:
            outside.supervisor = supervisor(outside, workspace)

    for module in (canary, finish, operator):
        module.ensure_supervisor = ensure  # type: ignore[attr-defined]


def supervisor(outside: Outside, workspace: Workspace) -> ModelRuntime:
    """A supervisor that takes up what the one before has left running."""
    workspace.gateway.argv()
    (outside.gateway_folder / "admin.address").write_text("127.0.0.1:1")
    runtime: Any = ModelRuntime(workspace, workspace.gateway)
    for up in sorted(outside.servers.iterdir()):
        digest = up.read_text()
        folder = workspace.routes.locate(workspace.project.model, digest)
        assert folder is not None
        runtime._servers[digest] = PretendedServer(
            outside=outside, model=workspace.project.model, digest=digest, folder=folder, root=outside.root, log=up
        )
    runtime._applied = workspace.gateway.table()
    result: ModelRuntime = runtime
    return result
