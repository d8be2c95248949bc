"""Hypothesis strategies that several tests share: the grammar of gatewright.yaml."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from gatewright.domain.gate import CORE_GATES
from gatewright.domain.notice import NOTICE_KINDS
from gatewright.domain.project import PLACEHOLDERS

Section = dict[str, Any]
_JUDGED = ("evaluation", "fairness", "gates")
_SHAREABLE = (("data",), ("train",), ("checks",), ("registry",), ("rollout",), _JUDGED)

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)
shares = st.floats(0, 1)
counts = st.integers(1, 10**6)
columns = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
durations = st.builds("{}{}".format, st.integers(1, 366), st.sampled_from(["ms", "s", "m", "h", "d"]))
paths = st.from_regex(r"[a-z][a-z0-9_]{0,5}(/[a-z][a-z0-9_.]{0,5}){0,2}", fullmatch=True)
words = st.sampled_from([f"{{{name}}}" for name in PLACEHOLDERS]) | st.from_regex(r"[a-z./=-]{1,8}", fullmatch=True)


def section(required: Section | None = None, **optional: Any) -> st.SearchStrategy[Section]:
    """A mapping with the `required` keys and any of the `optional` ones."""
    return st.fixed_dictionaries(required or {}, optional=optional)


def or_none(form: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A section, or the word that leaves it out."""
    return st.just("none") | form


datasets = st.lists(names, min_size=2, max_size=2, unique=True).flatmap(
    lambda pair: section({"train": st.just(pair[0]), "evaluation": st.just(pair[1])}, schema=paths)
)
training = section({"command": st.lists(words, min_size=1, max_size=4)}, timeout=durations, format=st.just("skops"))
checks = or_none(
    section(
        lint=or_none(section(paths=st.lists(paths, min_size=1, max_size=2))),
        dependencies=or_none(section(requirements=paths, on_unavailable=st.sampled_from(["fail", "warn"]))),
    )
)
margins = st.lists(st.floats(1e-6, 1), min_size=2, max_size=2).map(
    lambda pair: {"rollback_margin": min(pair), "promote_margin": max(pair)}
)
steps = st.tuples(
    st.lists(st.floats(0, 100, exclude_min=True, exclude_max=True), min_size=1, max_size=3, unique=True),
    st.lists(durations, min_size=3, max_size=3),
).map(lambda pair: [{"weight": weight, "hold": hold} for weight, hold in zip(sorted(pair[0]), pair[1], strict=False)])
rollouts = section(
    steps=steps,
    min_requests=counts,
    max_extension=st.floats(0, 100) | durations,
    errors=margins,
    latency=st.tuples(margins, section(limit=durations, floor=durations)).map(lambda pair: {**pair[0], **pair[1]}),
    shadow=section(hold=durations, share=st.floats(0, 1, exclude_min=True), tolerance=st.floats(0, 10)),
    breaker=section(max_error_share=st.floats(0, 1, exclude_min=True), tick=durations),
    alpha=st.floats(0, 0.2, exclude_min=True),
    blind_after=durations,
    on_blind=st.sampled_from(["pause", "rollback"]),
    on_inconclusive=st.sampled_from(["pause", "abort", "advance"]),
    rollback_window=durations,
    tick=st.sampled_from(["1s", "60s", "4m"]),
    lease=st.sampled_from(["5m", "1h"]),
)
events = st.lists(st.sampled_from(NOTICE_KINDS), max_size=2)
notifiers = st.lists(
    section({"kind": st.just("webhook"), "url_env": st.sampled_from(["ALERTS_URL", "_x"])}, events=events)
    | section({"kind": st.just("command"), "command": st.just(["page", "-v"])}, events=events, timeout=durations),
    max_size=2,
)
levels = st.floats(0, 0.5, exclude_min=True)
what_then = st.sampled_from(["block", "warn"])
gaps = st.sampled_from(["demographic_parity_difference", "demographic_parity_ratio", "equal_opportunity_difference"])
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000)
bins = st.lists(numbers, min_size=1, max_size=3, unique_by=float).map(sorted)
several_columns = st.lists(columns, min_size=1, max_size=2, unique=True)
slices = columns | several_columns | section({"column": columns, "bins": bins})


def _written_out(entry: Any) -> str:
    """A column is the same slice as a list that holds it alone."""
    return json.dumps([entry] if isinstance(entry, str) else entry, sort_keys=True)


@st.composite
def judged(draw: st.DrawFn) -> Section:
    """The sections evaluation, fairness and gates: a gate that is not left out has something to judge."""
    label, identity = draw(st.lists(columns.filter(lambda name: name != "id"), min_size=2, max_size=2, unique=True))
    evaluation = draw(
        section(
            {"label": st.just(label)},
            id=st.just(identity),
            metric=st.just("accuracy"),
            latency_samples=st.integers(299, 5000),
        )
    )
    found: Section = {"evaluation": evaluation}
    gates = draw(
        section(
            {"mode": st.sampled_from(["statistical", "point"])},
            overall=or_none(
                section(margin=shares, min=shares, alpha=levels, on_inconclusive=what_then, min_effect=shares)
            ),
            slices=or_none(section(max_drop=shares, min_rows=counts, alpha=levels, on_inconclusive=what_then)),
            fairness=or_none(
                section(
                    metric=gaps | st.lists(gaps, min_size=1, max_size=2),
                    max=shares,
                    max_worsening=shares,
                    worsening_margin=shares,
                    already_over=st.sampled_from(["fail", "ratchet"]),
                    min_rows=counts,
                    alpha=levels,
                )
            ),
            latency=or_none(section(p99=durations, max_ratio=st.floats(1, 10))),
            golden=or_none(section({"version": counts}, margin=shares, max_drop=shares)),
            auc=or_none(section(max_drop=shares, min_rows=counts)),
            calibration=or_none(section(max=shares, max_worsening=shares)),
        )
    )
    if draw(st.booleans()) or gates.get("slices") != "none":
        evaluation["slices"] = draw(st.lists(slices, min_size=1, max_size=3, unique_by=_written_out))
    if draw(st.booleans()) or gates.get("fairness") != "none":
        attributes = st.lists(columns, min_size=1, max_size=2, unique=True)
        found["fairness"] = draw(section({"attributes": attributes}, positive=st.integers(-2, 9)))
    if all(gates.get(name) == "none" for name in CORE_GATES):
        del gates["overall"]
    found["gates"] = draw(st.just(gates) | st.just("none"))
    return found


@st.composite
def sections(draw: st.DrawFn, port: int = 8080) -> Section:
    """Every section of one model."""
    serving = section(
        {"kind": st.just("envoy"), "port": st.just(port)},
        host=st.sampled_from(["127.0.0.1", "0.0.0.0"]),
        user_header=st.sampled_from(["x-user-id", "authorization"]),
        try_timeout=st.sampled_from(["250ms", "1s", "2s"]),
        timeout=st.sampled_from(["5s", "1m"]),
    )
    rest = section(checks=checks, registry=st.just({"kind": "local"}), rollout=rollouts, notify=notifiers)
    must = {"data": datasets, "train": training, "serving": serving}
    return {**draw(section(must)), **draw(judged()), **draw(rest)}


@st.composite
def several_models(draw: st.DrawFn) -> Section:
    """The form with `models`; what the first model has may stand above them and serve others too."""
    chosen = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    models = {name: draw(sections(port=8000 + index)) for index, name in enumerate(chosen)}
    first = models[chosen[0]]
    shared: Section = {}
    for group in _SHAREABLE:
        if not draw(st.booleans()):
            continue
        shared.update({name: first[name] for name in group if name in first})
        for model in models.values():
            if model is first or draw(st.booleans()):
                for name in group:
                    model.pop(name, None)
    return {**shared, "models": models}


def configurations() -> st.SearchStrategy[Section]:
    """Valid gatewright.yaml, as plain values, in both of its forms."""
    single = st.tuples(names, sections()).map(lambda pair: {"model": pair[0], **pair[1]})
    return single | several_models()


def rendered(value: Any, *, twice: tuple[Any, ...] | None = None, indent: str = "") -> str:
    """`value` as YAML in blocks, one line for each key and entry; the key at the path `twice` is written twice."""
    if not isinstance(value, (dict, list)) or not value:
        return f" {json.dumps(value, ensure_ascii=False)}\n"
    text = "\n"
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        below = twice[1:] if twice and twice[0] == key else None
        head = f"{indent}{json.dumps(key)}:" if isinstance(value, dict) else f"{indent}-"
        text += (head + rendered(item, twice=below or None, indent=indent + "  ")) * (2 if below == () else 1)
    return text
