"""What cannot be where traffic is divided by a service: there is no gateway here that tells of requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gatewright.config.models import OneModel
from gatewright.config.nodes import Document
from gatewright.config.problems import Path, dotted
from gatewright.config.values import Values
from gatewright.domain.errors import Problem
from gatewright.domain.project import Plugin, Project
from gatewright.domain.rollout import RolloutPolicy

_OF_PREDICTIONS = ("quality", "drift", "slices", "shadow")
_SAGEMAKER, _CLOUDWATCH = "sagemaker", "cloudwatch"
_NAMED = (
    ("registry", _SAGEMAKER, "group"),
    ("serving", _SAGEMAKER, "group"),
    ("serving", _SAGEMAKER, "endpoint"),
    ("evidence", _CLOUDWATCH, "endpoint"),
)
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_MINUTE_S = 60.0
_UNGUARDED = "none"


def unseen(document: Document, gateways: Sequence[str], serving: str, evidence: str) -> Iterator[Problem]:
    """Problems of a model whose kind of serving has no gateway on this machine."""
    if serving in gateways:
        return
    whole = Values(document.value)
    if evidence == "access-log":
        path: Path = ("evidence", "kind") if whole.at(("evidence", "kind")) else ("serving", "kind")
        what = f"the access log is that of a gateway, and {serving} has none here: write evidence: {{kind: cloudwatch}}"
        yield _problem(document, path, what)
    for name in _OF_PREDICTIONS:
        if whole.at(("rollout", name)) not in (None, []):
            what = f"is observed by what our own model servers log, and {serving} runs none of them: remove it"
            yield _problem(document, ("rollout", name), what)


def apart(document: Document, model: str, parts: Mapping[str, Plugin]) -> Iterator[Problem]:
    """Parts of SageMaker that do not speak of the same thing: who registers, who serves, who is observed."""
    registry, serving, evidence = parts["registry"], parts["serving"], parts["evidence"]
    if _SAGEMAKER not in (serving.kind, registry.kind) and evidence.kind != _CLOUDWATCH:
        return
    for section, kind, key in _NAMED:
        if parts[section].kind == kind:
            yield from _unnamed(document, model, parts[section], section, key)
    if serving.kind != _SAGEMAKER:
        return
    if registry.kind != _SAGEMAKER:
        what = f"an endpoint takes its versions from the registry of SageMaker, and this is {registry.kind}"
        path: Path = ("registry", "kind") if Values(document.value).at(("registry", "kind")) else ("serving", "kind")
        yield _problem(document, path, f"{what}: write registry: {{kind: sagemaker, …}}, or serve by a gateway here")
    else:
        yield from _different(document, model, ("serving", "group"), serving, registry, "registry")
    if evidence.kind == _CLOUDWATCH:
        yield from _different(document, model, ("evidence", "endpoint"), evidence, serving, "serving")
    for section in ("registry", "evidence"):
        if parts[section].kind in (_SAGEMAKER, _CLOUDWATCH):
            yield from _elsewhere(document, section, parts[section], serving)
    lease = Values(document.value).seconds(("rollout", "lease"), RolloutPolicy().lease)
    if lease is not None and lease < _MINUTE_S and getattr(serving.options, "guard", _UNGUARDED) != _UNGUARDED:
        what = f"{lease:g}s is less than the minute to which the schedule of serving.guard acts: write 1m or more"
        yield _problem(document, ("rollout", "lease"), what)


def too_hasty(document: Document, policy: RolloutPolicy, evidence: Plugin) -> Iterator[Problem]:
    """A step whose time is over before the first minute of it has been told, and the hold has not even begun."""
    if evidence.kind != _CLOUDWATCH:
        return
    first_s = evidence.options.settle.seconds + evidence.options.delay.seconds + _MINUTE_S
    for number, step in enumerate(policy.steps, start=1):
        if policy.extension_s(step) < first_s:
            what = f"step {number} may take {policy.extension_s(step):g}s beyond its hold, and its first evidence comes"
            yield _problem(
                document,
                ("rollout", "max_extension"),
                f"{what} {first_s:g}s after its weight: write {first_s:g}s or more",
            )
            return


def shared_endpoints(projects: Mapping[str, Project], models: Iterable[OneModel]) -> Iterator[Problem]:
    """Two models cannot divide the traffic of one endpoint."""
    taken: dict[tuple[Any, str], str] = {}
    for model in models:
        serving = projects[model.name].serving
        if serving.kind != _SAGEMAKER:
            continue
        place = (getattr(serving.options, "region", None), _told(serving, "endpoint", model.name))
        if place in taken:
            what = f"{place[1]} is also the endpoint of {taken[place]}: give each model its own"
            where = model.document.place(("serving", "endpoint"))
            yield Problem(where=where, field=f"models.{model.name}.serving.endpoint", what=what)
        taken.setdefault(place, model.name)


def _unnamed(document: Document, model: str, part: Plugin, section: str, key: str) -> Iterator[Problem]:
    """The model's name stands for what was not said, and not every one of ours is one of SageMaker."""
    if getattr(part.options, key, None) is None and not _NAME.fullmatch(model):
        what = f"is missing, and {model} cannot stand for it: letters, digits and hyphens inside, at most 63"
        yield Problem(where=document.key_place((section,)), field=f"{section}.{key}", what=what)


def _different(
    document: Document, model: str, path: Path, mine: Plugin, other: Plugin, section: str
) -> Iterator[Problem]:
    key = str(path[-1])
    here, there = _told(mine, key, model), _told(other, key, model)
    if here != there:
        what = f"{here} is not {there}, the {key} of {section}: write {key}: {there} in both"
        yield _problem(document, path, what)


def _elsewhere(document: Document, section: str, part: Plugin, serving: Plugin) -> Iterator[Problem]:
    """Regions that are both said and differ; the environment's is the same for all."""
    here, there = getattr(part.options, "region", None), getattr(serving.options, "region", None)
    if here and there and here != there:
        yield _problem(document, (section, "region"), f"{here} is not {there}, where the endpoint is")


def _told(part: Plugin, key: str, model: str) -> str:
    return str(getattr(part.options, key, None) or model)


def _problem(document: Document, path: Path, what: str) -> Problem:
    return Problem(where=document.place(path), field=dotted(path), what=what)
