"""Runs of an experiment: one for each model and run of ours, with its parameters, metrics, data and links."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatewright.adapters.registries.mlflow.wire import Refused, Wire
from gatewright.domain.errors import WorldFailed
from gatewright.ports import Registration

DIGEST, RUN = "gatewright.model_digest", "gatewright.run"
DATA, REPORT, SIZE, MODEL = (
    "gatewright.data_digest",
    "gatewright.report_digest",
    "gatewright.size",
    "gatewright.model",
)
REGISTERED = "gatewright.registered_model"
COMMIT = "mlflow.source.git.commit"
_EXISTS, _MISSING = "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"
# What one log-batch takes (mlflow, validation.py).
_MOST_PARAMS, _MOST_METRICS, _LONGEST_PARAM = 100, 1000, 500
_LONGEST_DATASET_DIGEST = 36
_NO_NAME = re.compile(r"[^\w\-. :/]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """A run on the server: its id, and where its artifacts lie (`mlflow-artifacts:/…`, `s3://…`)."""

    id: str
    artifacts: str
    finished: bool


class Tracking:
    """The runs of one experiment."""

    def __init__(self, wire: Wire, experiment: str) -> None:
        self._wire, self._experiment = wire, experiment

    def begin(self, registration: Registration, registered: str, now: datetime) -> TrackedRun:
        """The run of this digest and run of ours on its way into the registered model `registered`.

        The oldest one there is, so that an upload goes on; or a new one.
        """
        experiment = self._experiment_id()
        candidate = registration.candidate
        wanted = {
            DIGEST: candidate.artifact.digest,
            RUN: registration.run,
            MODEL: candidate.model,
            REGISTERED: registered,
        }
        clauses = [f"tags.`{key}` = {quoted(value)}" for key, value in wanted.items()]
        found = self._wire.post(
            "runs/search",
            {
                "experiment_ids": [experiment],
                "filter": " and ".join(clauses),
                "order_by": ["attributes.start_time ASC"],
                "max_results": 1,
            },
        )
        if runs := found.get("runs"):
            return _tracked(runs[0])
        tags = wanted | _tags(registration)
        created = self._wire.post(
            "runs/create",
            {
                "experiment_id": experiment,
                "run_name": f"{candidate.model} {registration.run}",
                "start_time": _milliseconds(now),
                "tags": pairs(tags),
            },
        )
        return _tracked(created["run"])

    def describe(self, run: TrackedRun, registration: Registration) -> None:
        """Parameters, metrics and data of the run. Told twice it is told once: each number keeps its moment."""
        candidate = registration.candidate
        at = _milliseconds(candidate.trained_at)
        params = [{"key": key, "value": value} for key, value in _flat(candidate.params).items()][:_MOST_PARAMS]
        metrics = [
            {"key": _named(key), "value": value, "timestamp": at, "step": 0}
            for key, value in registration.metrics.items()
        ][:_MOST_METRICS]
        self._wire.post("runs/log-batch", {"run_id": run.id, "params": params, "metrics": metrics})
        datasets = [
            {
                "tags": [{"key": "mlflow.data.context", "value": "training" if each.role == "train" else "evaluation"}],
                "dataset": {
                    "name": f"{each.name} {each.version}",
                    "digest": each.digest.removeprefix("sha256:")[:_LONGEST_DATASET_DIGEST],
                    "source_type": each.kind,
                    "source": json.dumps({"uri": each.uri, "digest": each.digest, "version": each.version}),
                    "schema": json.dumps({"columns": dict(each.schema)}),
                    "profile": json.dumps({"num_rows": each.rows}),
                },
            }
            for each in registration.data
        ]
        if datasets:
            self._wire.post("runs/log-inputs", {"run_id": run.id, "datasets": datasets})

    def of(self, run_id: str) -> TrackedRun:
        """The run with this id; WorldFailed when it is gone."""
        try:
            return _tracked(self._wire.get("runs/get", run_id=run_id)["run"])
        except Refused as error:
            raise WorldFailed(
                f"the MLflow run {run_id} cannot be read: {error.what}", fix="was it removed by hand? restore it"
            ) from error

    def finish(self, run: TrackedRun, now: datetime) -> None:
        """Mark it as ended."""
        if not run.finished:
            self._wire.post("runs/update", {"run_id": run.id, "status": "FINISHED", "end_time": _milliseconds(now)})

    def discard(self, run: TrackedRun) -> None:
        """Delete the run of an upload that another one made superfluous; its bytes go with `mlflow gc`."""
        self._wire.post("runs/delete", {"run_id": run.id})

    def _experiment_id(self) -> str:
        for _ in range(2):
            try:
                found = self._wire.get("experiments/get-by-name", experiment_name=self._experiment)["experiment"]
            except Refused as error:
                if error.code != _MISSING:
                    raise
            else:
                if found.get("lifecycle_stage") == "deleted":
                    raise WorldFailed(
                        f"the MLflow experiment {self._experiment} was deleted",
                        fix="restore it, or name another one: registry.experiment",
                    )
                return str(found["experiment_id"])
            try:
                return str(self._wire.post("experiments/create", {"name": self._experiment})["experiment_id"])
            except Refused as error:
                if error.code != _EXISTS:  # else another process was faster: ask again
                    raise
        raise WorldFailed(
            f"the MLflow experiment {self._experiment} can neither be read nor created", fix="see the server's log"
        )


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the REST interface writes them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def quoted(value: str) -> str:
    """A string of MLflow's search language, which knows no escape: what holds both quotes cannot be asked for."""
    return f'"{value}"' if "'" in value else f"'{value}'"


def version_tags(registration: Registration) -> dict[str, str]:
    """What a version says of itself, so that it can be found and traced without its run."""
    candidate = registration.candidate
    return {
        MODEL: candidate.model,
        DIGEST: candidate.artifact.digest,
        SIZE: str(candidate.artifact.size),
        RUN: registration.run,
        **_tags(registration),
    }


def _tags(registration: Registration) -> dict[str, str]:
    links = {f"gatewright.{name}": value for name, value in registration.links.items()}
    return {
        COMMIT: registration.candidate.commit,
        DATA: registration.data_digest,
        REPORT: registration.report_digest,
        **{key: value[:5000] for key, value in links.items()},
    }


def _flat(params: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Parameters as names with dots and texts: `{"tree": {"depth": 3}}` is `tree.depth`."""
    found: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{name}.")
        else:
            text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            found[_named(f"{above}{name}")] = text[:_LONGEST_PARAM]
    return found


def _named(name: str) -> str:
    """A name of a figure as MLflow takes it: `SEX=1` becomes `SEX_1`."""
    return _NO_NAME.sub("_", name)


def _tracked(run: Mapping[str, Any]) -> TrackedRun:
    info = run["info"]
    return TrackedRun(id=info["run_id"], artifacts=info["artifact_uri"], finished=info.get("status") == "FINISHED")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
