"""The JSON Schema of gatewright.yaml, for editors: every word, its type and default, and the short forms."""

from __future__ import annotations

from typing import Any

from gatewright.config.consistency import NAME
from gatewright.config.models import MODELS
from gatewright.config.project import NOTIFIERS, NOTIFY, SECTIONS, PluginOptions
from gatewright.config.shorthand import NONE, BinnedSlice, ConditionSlice
from gatewright.domain.duration import Duration
from gatewright.domain.project import Project

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMED = (("Project", "model"), ("DataSection", "train"), ("DataSection", "evaluation"))
_MAY_BE_NONE = ("ChecksSection", "GatesSection")


def json_schema(plugins: PluginOptions) -> dict[str, Any]:
    """A draft 2020-12 schema that accepts what `read_project` accepts, as far as a schema can say it."""
    root = _of(Project)
    kinds: dict[str, Any] = root.pop("$defs")
    kinds["Project"] = root
    for section, (group, default) in SECTIONS.items():
        root["properties"][section] = {"oneOf": [_plugin(plugins, group, kind, kinds) for kind in plugins.names(group)]}
        root["properties"][section]["default"] = {"kind": default}
    told = [_plugin(plugins, NOTIFIERS, kind, kinds) for kind in plugins.names(NOTIFIERS)]
    root["properties"][NOTIFY] = {"type": "array", "items": {"oneOf": told} if told else False, "default": []}
    for name, kind in kinds.items():
        for key, form in kind.get("properties", {}).items():
            kind["properties"][key] = _told(form, none=name in _MAY_BE_NONE or (name, key) == ("Project", "gates"))
    root["properties"]["checks"] = {"anyOf": [root["properties"]["checks"], {"const": NONE}]}
    for name, key in _NAMED:
        kinds[name]["properties"][key]["pattern"] = f"^{NAME.pattern}$"
    kinds["SliceSpec"], kinds["LiveSlice"] = _slices(), _live_slices()
    del kinds["Project"], kinds["Plugin"]
    kinds["Model"] = _model(root)
    _several(root)
    return {"$schema": DIALECT, **root, "title": "gatewright.yaml", "$defs": dict(sorted(kinds.items()))}


def _model(root: dict[str, Any]) -> dict[str, Any]:
    """What stands below the name of one of several models: the sections of the file itself."""
    return {
        "description": "One of several models: its own sections; one that it does not have is taken from above.",
        "type": "object",
        "properties": {name: {"$ref": f"#/properties/{name}"} for name in root["properties"] if name != "model"},
        "additionalProperties": False,
    }


def _several(root: dict[str, Any]) -> None:
    """The other form of the file: `models` instead of `model`, each section in the model or above all of them."""
    sections = [name for name in root["required"] if name != "model"]
    root["description"] = "One model and everything its pipeline does; or several of them, below `models`."
    root["properties"][MODELS] = {
        "description": "Several models by their names, instead of `model`; sections above are shared.",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": {"$ref": "#/$defs/Model"},
    }
    somewhere = [
        {"anyOf": [{"required": [name]}, {"properties": {MODELS: {"additionalProperties": {"required": [name]}}}}]}
        for name in sections
    ]
    root["if"] = {"required": [MODELS]}
    root["then"] = {"properties": {"model": False}, "allOf": somewhere}
    root["else"] = {"required": root.pop("required")}


def _of(kind: type) -> dict[str, Any]:
    from pydantic import TypeAdapter

    schema: dict[str, Any] = TypeAdapter(kind).json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        part["additionalProperties"] = False
    return schema


def _plugin(plugins: PluginOptions, group: str, kind: str, kinds: dict[str, Any]) -> dict[str, Any]:
    """The section of one kind: its own options and the word that names it."""
    options = plugins.options(group, kind)
    schema: dict[str, Any] = _of(options) if options is not None else {"type": "object"}
    kinds.update(schema.pop("$defs", {}))
    schema["properties"] = {
        "kind": {"const": kind},
        **{key: _told(form, none=False) for key, form in schema.get("properties", {}).items()},
    }
    schema["required"] = ["kind", *schema.get("required", [])]
    return {**schema, "title": kind}


def _told(form: dict[str, Any], *, none: bool) -> dict[str, Any]:
    """A property as the file has it: nothing is written `none` or not at all, a duration as text."""
    told = {key: value for key, value in form.items() if key != "title"}
    if "anyOf" in told:
        arms = [arm for arm in told.pop("anyOf") if arm != {"type": "null"}]
        arms += [{"const": NONE}] if none else []
        told = {**(arms[0] if len(arms) == 1 else {"anyOf": arms}), **told}
    if "default" in told:
        told["default"] = _default(told["default"])
        if told["default"] is None:
            del told["default"]
    return told


def _default(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"seconds"}:
            return str(Duration(value["seconds"]))
        return {key: _default(item) for key, item in value.items() if item is not None}
    return [_default(item) for item in value] if isinstance(value, list) else value


def _slices() -> dict[str, Any]:
    return {
        "description": "A column, several together, one numeric column in intervals, or rows for which SQL holds.",
        "anyOf": [*_live_slices()["anyOf"], _of(ConditionSlice)],
    }


def _live_slices() -> dict[str, Any]:
    column, binned = {"type": "string", "minLength": 1}, _of(BinnedSlice)
    part = {"anyOf": [column, binned]}
    return {
        "description": "A column, several together, or one numeric column in intervals.",
        "anyOf": [column, {"type": "array", "items": part, "minItems": 1}, binned],
    }
