"""verdict.json read back as the one object that feeds every form of report; its published JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gatewright.domain.documents import canonical_json
from gatewright.domain.errors import Place, Problem, WithProblems
from gatewright.domain.gate import Judgement, Verdict

FILE = "verdict.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DIGEST = "^sha256:[0-9a-f]{64}$"
_ENVELOPE = {
    "schema": {"const": "gatewright/verdict/1"},
    "run": {"type": "string", "minLength": 1},
    "stage": {"const": "gate"},
    "status": {"enum": ["passed", "failed", "inconclusive"]},
    "started_at": {"type": "string", "format": "date-time"},
    "ended_at": {"type": "string", "format": "date-time"},
    "inputs": {"type": "object", "additionalProperties": {"type": "string"}},
    "outputs": {"type": "object", "additionalProperties": {"type": "string"}},
    "digest": {"type": "string", "pattern": _DIGEST},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVerdict:
    """What the gate stage left: its verdict on the model with digest `artifact`, and the judgement it comes from.

    `verdict` can be FAIL without any result: an overdue evaluation set is refused before a gate is asked.
    """

    verdict: Verdict
    judgement: Judgement
    artifact: str | None = None


def read_verdict(body: Mapping[str, Any]) -> RecordedVerdict:
    """The verdict whose hand-off has this body; keys that older releases did not write have their defaults.

    WithProblems (exit 2) names every field that is missing, unknown or not what it should be, and a verdict that its
    own results contradict.
    """
    from pydantic import TypeAdapter, ValidationError

    rest = {key: value for key, value in body.items() if key not in ("verdict", "artifact")}
    said, artifact = body.get("verdict"), body.get("artifact")
    if said not in tuple(Verdict):
        raise _unusable(("verdict", f"is {said!r}; allowed: {', '.join(Verdict)}"))
    if artifact is not None and not isinstance(artifact, str):
        raise _unusable(("artifact", f"is {artifact!r}, not a digest"))
    try:
        judgement = TypeAdapter(Judgement).validate_json(canonical_json(rest), strict=True, extra="forbid")
    except ValidationError as error:
        faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_url=False)]
        raise _unusable(*faults) from error
    verdict = Verdict(said)
    if judgement.verdict is not verdict and judgement.results:
        raise _unusable(("verdict", f"is {verdict.value}, but the results say {judgement.verdict.value}"))
    return RecordedVerdict(verdict=verdict, judgement=judgement, artifact=artifact)


def verdict_schema() -> dict[str, Any]:
    """A draft 2020-12 schema of a run's verdict.json, made from the types that write it."""
    from pydantic import TypeAdapter

    root: dict[str, Any] = TypeAdapter(Judgement).json_schema()
    kinds: dict[str, Any] = root.pop("$defs")
    for kind in kinds.values():
        if kind.get("type") == "object":
            kind["additionalProperties"] = False
    own = {
        "verdict": {"$ref": "#/$defs/Verdict"},
        "artifact": {"type": "string", "pattern": _DIGEST, "description": "the digest of the judged model's files"},
    }
    return {
        "$schema": _DIALECT,
        "title": FILE,
        "description": "The gates' verdict on one run's candidate, with the numbers it rests on.",
        "type": "object",
        "properties": {**_ENVELOPE, **own, **_without_titles(root["properties"])},
        "required": [*_ENVELOPE, "verdict", *root["required"]],
        "additionalProperties": False,
        "$defs": {name: _without_titles(kind) for name, kind in sorted(kinds.items())},
    }


def _without_titles(form: Any) -> Any:
    """Titles that only repeat the key say nothing."""
    if isinstance(form, dict):
        kept = {key: value for key, value in form.items() if not (key == "title" and isinstance(value, str))}
        return {key: _without_titles(value) for key, value in kept.items()}
    return [_without_titles(item) for item in form] if isinstance(form, list) else form


def _unusable(*faults: tuple[str, str]) -> WithProblems:
    known = ", ".join(field.name for field in fields(Judgement))
    problems = tuple(Problem(where=Place(file=FILE), field=name, what=what) for name, what in faults)
    return WithProblems(
        f"{FILE} cannot be read", problems, fix=f"put back this run's own file; it holds verdict, artifact, {known}"
    )
