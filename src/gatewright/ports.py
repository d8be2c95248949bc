"""What we ask of the world: small protocols that adapters fulfil, found by entry point.

Every effect here is idempotent: asking twice for the same thing changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from gatewright.domain.claim import Order, Started
from gatewright.domain.evidence import History, Look
from gatewright.domain.forge import Comment, Deployment, Told
from gatewright.domain.lineage import Artifact, Candidate, DataFile, DataVersion, ModelVersion
from gatewright.domain.notice import Notice
from gatewright.domain.rollout import Rollout, TrafficState
from gatewright.domain.routing import Endpoint, RouteTable
from gatewright.store.database import Database


class Clock(Protocol):
    """Time as the doing rooms see it."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an adapter may know of its workspace: the root folder, the model, the state database and the clock.

    `read_again`: every byte is to be read, also of files that nobody has touched since. `progress` hears of long work.
    """

    root: Path
    model: str
    database: Database
    clock: Clock
    read_again: bool = False
    progress: Progress | None = None

    @property
    def gateway_folder(self) -> Path:
        """Everything of this model's gateway."""
        return self.root / ".gatewright" / "gateway" / self.model

    @property
    def access_log(self) -> Path:
        """Where the gateway tells of each request; rotated to the same name with `.1`."""
        return self.gateway_folder / "access.jsonl"


class Progress(Protocol):
    """Where long work tells how far it is. Implementations never raise."""

    def stage(self, name: str, state: str, note: str = "") -> None:
        """`state` is started, passed, failed or skipped."""

    def waiting(self, what: str) -> None:
        """What is being waited for right now, with its numbers."""

    def line(self, text: str) -> None:
        """One line of output of a command that runs."""

    def warning(self, text: str) -> None:
        """Something the user should know although the work goes on."""


class DataSource(Protocol):
    """Where the bytes of a data version live."""

    def current(self, uri: str) -> tuple[DataFile, ...]:
        """List and digest the files at `uri` as they are now; DataError when there is nothing usable."""

    def read(self, version: DataVersion, into: Path) -> Path:
        """Lay exactly the files of `version` below `into`, verified; return the file or folder to hand on."""


@runtime_checkable
class Probed(Protocol):
    """A `DataSource` that can cheaply tell whether it holds something new; one without it is not watched."""

    def probe(self, uri: str) -> str:
        """The present pin of what lies at `uri`: another one when the bytes may be others. No byte is read.

        DataError when there is nothing usable, WorldFailed when it cannot be asked.
        """


class Trigger(Protocol):
    """Whoever starts the run of a change of data: this machine, or a CI."""

    def start(self, order: Order) -> Started:
        """Have the run of `order` started; the same order again gives the same run, not a second one.

        StartFailed says whether it may be tried again, Pending that it has to wait for something else.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The source's own id of what it holds. `immutable`: asked with this id, it can never give other bytes."""

    value: str
    immutable: bool


@runtime_checkable
class PinnedSource(DataSource, Protocol):
    """A source that can say without reading the bytes whether they are still the same."""

    def pin(self, uri: str, names: Sequence[str] = ()) -> Pin | None:
        """The id of what is at `uri` now (of the files `names`, else of all); None when the source has no ids."""

    def doubt(self, version: DataVersion) -> str | None:
        """Why the bytes of `version` may not be there any more, by pin and size alone; None when all is well."""

    def digests(self, version: DataVersion) -> tuple[DataFile, ...]:
        """The files of `version` as the source gives them now, every byte read; what is gone is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command to run: argv (never a shell line), folder, extra environment, time limit, log file."""

    argv: tuple[str, ...]
    cwd: Path
    log: Path
    timeout_s: float
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How a job ended. `ended` says whether it exited by itself, ran out of time or was interrupted."""

    code: int
    ended: Literal["exited", "timeout", "interrupted"]
    seconds: float


class Executor(Protocol):
    """Runs the team's commands."""

    def run(self, job: Job, progress: Progress) -> JobResult:
        """Run `job` to its end, streaming its output; every process it left behind is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a registry needs to register a candidate, and what it may tell people about it.

    `documents` are kept beside the version by file name, `metrics` are finite numbers by name, `data` is what it was
    trained and judged on, `links` are words that lead further (a version, a commit), by name.
    """

    candidate: Candidate
    data_digest: str
    report_digest: str
    run: str
    documents: Mapping[str, bytes] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Sequence[DataVersion] = ()
    links: Mapping[str, str] = field(default_factory=dict)


class Registry(Protocol):
    """Registered versions and which of them serves production."""

    def register(self, registration: Registration) -> ModelVersion:
        """Store the model and number it; the same artifact digest gives the same version again."""

    def find(self, model: str, digest: str) -> ModelVersion | None:
        """The version of `model` with this artifact digest."""

    def numbered(self, model: str, number: int) -> ModelVersion | None:
        """The version of `model` with this number."""

    def serving(self, model: str) -> ModelVersion | None:
        """The baseline: the version that production serves; None before the first deployment."""

    def mark_serving(self, model: str, version: ModelVersion | None) -> None:
        """Make `version` the baseline of `model`; None takes back a first deployment that was rolled back."""


@runtime_checkable
class DistantRegistry(Registry, Protocol):
    """A registry beyond the state database: it may be slow, and no transaction holds it.

    What it is to be told is written down before, and it is told again until it says the same.
    """

    distant: Literal[True]


@runtime_checkable
class CarriesModels(Protocol):
    """A registry that also carries models between machines, by digest: what is kept can be had wherever it is asked."""

    def keep(self, artifact: Artifact) -> None:
        """Have the bytes at `artifact.uri` where every machine finds them; nothing to do when they are, or nowhere is.

        WorldFailed when they cannot be taken there.
        """

    def bring(self, artifact: Artifact) -> None:
        """Lay the bytes of `artifact` at its uri, proven; nothing to do when no other place is known.

        UnusableInput when they were never kept, DigestChanged when others are there.
        """


@runtime_checkable
class Attaching(Protocol):
    """A `Registry` that keeps files beside a version: its card, its signature, its proof.

    They are no part of the model, and its digest does not speak of them. A `name` may have folders: `a/b.json`.
    """

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        """Keep `content` as `name` with `version`, in place of an older one; the same again changes nothing.

        WorldFailed when it cannot be kept.
        """

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        """What is kept as `name` with `version`; None when nothing is. WorldFailed when it cannot be asked."""


class Traffic(Protocol):
    """The split of live traffic between the arms of a rollout."""

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        """Make both arms reachable; the canary gets no traffic yet."""

    def state(self, rollout: Rollout) -> TrafficState:
        """Read back weight and arms; a failure to read is told in the state, not raised."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        """Ask for `weight` per cent for the canary, and `rollout.mirror` as copies, and renew the lease.

        LeaseLost for an outdated epoch.
        """

    def finish(self, rollout: Rollout) -> None:
        """After a terminal phase: promoted makes the canary the stable arm, rolled back unloads it."""


class MetricSource(Protocol):
    """Live evidence about the arms of a rollout."""

    def history(self, rollout: Rollout) -> History:
        """Stable's own past before the rollout."""

    def observe(self, rollout: Rollout, tick: int) -> Look:
        """What happened since the rollout's cursor; a failure is told in the look, not raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a check found: where, which rule, what."""

    where: str
    rule: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check says. `unavailable`: it could not really run, which is no pass."""

    check: str
    status: Literal["passed", "failed", "unavailable"]
    summary: str
    findings: Sequence[Finding] = ()
    details: Mapping[str, object] = field(default_factory=dict)


class Notifier(Protocol):
    """Tells people what happens to a rollout, wherever they are."""

    def tell(self, notice: Notice) -> None:
        """Tell it; WorldFailed when it was not taken. It may be told again, with the same id; nobody waits for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """A notifier and the kinds of notices that it wants to hear of; none named: all but the quiet ones."""

    notifier: Notifier
    events: tuple[str, ...] = ()


class Forge(Protocol):
    """Where code is reviewed and deployments are shown. The same again changes nothing the second time.

    ServiceFailed says whether it may be tried again.
    """

    def comment(self, comment: Comment) -> Told:
        """Have the comment there once, with this text: created, or updated where this account wrote it."""

    def change_of(self, commit: str) -> int | None:
        """The number of the pull or merge request that brought `commit`, merged ones first; None without one."""

    def deployment(self, deployment: Deployment) -> None:
        """Show the deployment with this state; what has ended is not shown as going on again."""


class Check(Protocol):
    """A check of the code before anything is trained."""

    def run(self, root: Path) -> CheckResult:
        """Check the workspace at `root`; never raises for a tool that is missing or broken."""


class DataCheck(Protocol):
    """A check of a data set that the team wrote itself."""

    name: str

    def run(self, root: Path, path: Path, version: DataVersion) -> CheckResult:
        """Check the table at `path`, the bytes of `version`; never raises for a tool that is missing or broken."""


class Gateway(Protocol):
    """The proxy that the supervisor runs: a process that is told by files and read back over HTTP."""

    def argv(self) -> tuple[str, ...]:
        """How to start it; writes what it needs to start. UnusableInput when its port is taken."""

    def ready(self) -> bool:
        """Whether it answers."""

    def configure(self, table: RouteTable | None, endpoints: Mapping[str, Endpoint]) -> None:
        """Make it serve `table` over `endpoints` (by cluster name); a cluster is known before a route names it."""

    def table(self) -> RouteTable | None:
        """The table in force, read back; WorldFailed when it cannot be read."""

    def rotate_log(self) -> None:
        """Keep its log within bounds; no line is lost."""
