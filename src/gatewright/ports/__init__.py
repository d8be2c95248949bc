"""What we ask of the world: small protocols that adapters fulfil, found by entry point.

Every effect here is idempotent: asking twice for the same thing changes nothing the second time.
"""

from gatewright.ports.context import Clock, Context, Progress
from gatewright.ports.data import DataCheck, DataSource, Pin, PinnedSource, Probed, Trigger
from gatewright.ports.people import Addressee, Forge, Notifier
from gatewright.ports.registry import Attaching, CarriesModels, DistantRegistry, Registration, Registry
from gatewright.ports.traffic import DistantTraffic, Gateway, MetricSource, Traffic
from gatewright.ports.work import Check, CheckResult, Executor, Finding, Job, JobResult

__all__ = [
    "Addressee",
    "Attaching",
    "CarriesModels",
    "Check",
    "CheckResult",
    "Clock",
    "Context",
    "DataCheck",
    "DataSource",
    "DistantRegistry",
    "DistantTraffic",
    "Executor",
    "Finding",
    "Forge",
    "Gateway",
    "Job",
    "JobResult",
    "MetricSource",
    "Notifier",
    "Pin",
    "PinnedSource",
    "Probed",
    "Progress",
    "Registration",
    "Registry",
    "Traffic",
    "Trigger",
]
