"""gatewright.yaml, parsed: the file's sections are these dataclasses, defaults included."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen, Predicate

from gatewright.domain.ci import CiSection
from gatewright.domain.duration import Duration
from gatewright.domain.gate import (
    AucGate,
    CalibrationGate,
    FairnessGate,
    GoldenGate,
    LatencyGate,
    OverallGate,
    SliceGate,
    Waiver,
)
from gatewright.domain.metrics import MetricName, Task
from gatewright.domain.rollout import RolloutPolicy
from gatewright.domain.state import StateSection

Text = Annotated[str, MinLen(1)]
EVALUATION_PLACEHOLDERS = ("model.path", "model.role", "data.path", "output.path")
PLACEHOLDERS = ("data.path", "data.version", "run.id", "output.dir", "model")
DATA_PLACEHOLDERS = ("data.path", "data.name", "data.version", "data.role")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """Names of the data sets under data/versions/, and the file with the column schema."""

    train: Text
    evaluation: Text
    schema: Text = "data/schema.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintSection:
    """Folders and files that ruff checks."""

    paths: Annotated[tuple[Text, ...], MinLen(1)] = ("training",)


def is_service(text: str) -> bool:
    """The address of a service without user name, query or fragment: https://HOST[:PORT][/PATH]."""
    return re.fullmatch(r"https?://(?!169\.254\.)[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", text) is not None


FailOn = Literal["any", "fixable", "low", "medium", "high", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Somebody lets one known vulnerability through, by its id or an alias, for a reason and through a day."""

    id: Text
    reason: Text
    by: Text
    expires: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DependenciesSection:
    """The requirements file that is audited, by which tool and service, and what fails.

    `on_unavailable` is what it means when nobody could be asked. `fail_on`: every known vulnerability, those that a
    release fixes, or those from a severity on.
    """

    requirements: Text = "requirements.txt"
    on_unavailable: Literal["fail", "warn"] = "fail"
    tool: Literal["pip-audit", "uv"] = "pip-audit"
    service: Annotated[str, Predicate(is_service)] | None = None
    fail_on: FailOn = "any"
    allow: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChecksSection:
    """The team's own checks of each data set, after the schema file: a pandera schema (`module:Name`), a command."""

    pandera: Text | None = None
    command: Annotated[tuple[Text, ...], MinLen(1)] | None = None
    timeout: Duration = Duration(600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksSection:
    """Checks of code and data before anything is trained; None leaves one out."""

    lint: LintSection | None = LintSection()
    dependencies: DependenciesSection | None = DependenciesSection()
    data: DataChecksSection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSection:
    """The team's own training command: an argv list, never a shell line.

    `entry`: the function of the team's code that loads a model, `module:function`; `entry_code`: the files and folders
    that it needs, else the first package of the module. `allow_code`: a model may bring code and pickles, which model
    servers and evaluations then run.
    """

    command: Annotated[tuple[Text, ...], MinLen(1)]
    timeout: Duration = Duration(7200.0)
    format: Literal["skops", "onnx", "mlflow", "entry"] = "skops"
    entry: Text | None = None
    entry_code: tuple[Text, ...] = ()
    allow_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSpec:
    """Rows that share the values of `columns`; with `bins`, intervals [low, high) of one numeric column; or the rows
    for which the SQL expression `where` holds, called `name`."""

    columns: tuple[Text, ...] = ()
    bins: Annotated[tuple[float, ...], MinLen(1)] | None = None
    where: Text | None = None
    name: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSection:
    """Which columns identify and label a row, what is measured, and on which slices.

    `metric` is what the gates compare (by default that of the task: accuracy, RMSE, mean score), `metrics` are measured
    besides. `task` is the model's own unless it is said here. `command` predicts in the team's own way: an argv list.
    Rows with one value of `cluster` (a user, a query) are one observation. A row counts as often as its `weight` says,
    and was drawn within its `stratum`.
    """

    label: Text
    id: Text = "id"
    task: Task | None = None
    metric: MetricName | None = None
    metrics: tuple[MetricName, ...] = ()
    slices: tuple[SliceSpec, ...] = ()
    weak_slices: bool = True
    cluster: Text | None = None
    weight: Text | None = None
    stratum: Text | None = None
    command: Annotated[tuple[Text, ...], MinLen(1)] | None = None
    latency_samples: Annotated[int, Ge(299)] = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessSection:
    """Attributes whose groups should be selected alike. `positive` is the prediction that counts as selected."""

    attributes: tuple[Text, ...] = ()
    positive: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesSection:
    """The gates; None leaves one out, which every report then says of the first four.

    `statistical` decides on evidence and can be inconclusive; `point` is arithmetic on the measured numbers.
    """

    mode: Literal["statistical", "point"] = "statistical"
    overall: OverallGate | None = OverallGate()
    slices: SliceGate | None = SliceGate()
    fairness: FairnessGate | None = FairnessGate()
    latency: LatencyGate | None = LatencyGate()
    golden: GoldenGate | None = None
    auc: AucGate | None = None
    calibration: CalibrationGate | None = None
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSection:
    """The key pair that signs registered models. The private key is a PEM file, named by the environment variable
    `key_variable` or, where that is not set, by `key`."""

    public_key: Text
    key: Text | None = None
    key_variable: Text = "GATEWRIGHT_SIGNING_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSection:
    """What only people know of a model, for its model card."""

    intended_use: Text | None = None
    out_of_scope: Text | None = None
    limitations: tuple[Text, ...] = ()
    owners: tuple[Text, ...] = ()
    license: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A part found by entry point: its kind and its own options, already read."""

    kind: Text
    options: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One model and everything its pipeline does."""

    model: Text
    data: DataSection
    train: TrainSection
    evaluation: EvaluationSection
    gates: GatesSection | None
    checks: ChecksSection = ChecksSection()
    fairness: FairnessSection = FairnessSection()
    registry: Plugin = field(default_factory=lambda: Plugin(kind="local"))
    serving: Plugin = field(default_factory=lambda: Plugin(kind="envoy"))
    evidence: Plugin = field(default_factory=lambda: Plugin(kind="access-log"))
    rollout: RolloutPolicy = RolloutPolicy()
    notify: tuple[Plugin, ...] = ()
    trigger: Plugin = field(default_factory=lambda: Plugin(kind="local"))
    state: StateSection = field(default_factory=StateSection)
    ci: CiSection = CiSection()
    signing: SigningSection | None = None
    card: CardSection = CardSection()
