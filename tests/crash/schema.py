"""The part of JSON Schema that our schemas use, so that reports are judged without the code that wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int,
    "number": (int, float),
}  # fmt: skip


def misfits(schema: Mapping[str, Any], document: Any) -> list[str]:
    """Where `document` does not fit, in words."""
    return list(_misfits(schema, document, schema, "the document"))


def _misfits(schema: Mapping[str, Any], value: Any, root: Mapping[str, Any], at: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _misfits(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root, at)
    if "anyOf" in schema:
        options = [list(_misfits(option, value, root, at)) for option in schema["anyOf"]]
        if all(options):
            yield f"{at} fits no option: {min(options, key=len)[0]}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is {value!r}, not one of {schema['enum']}"
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{at} is {value!r:.60}, no {schema['type']}"
        return
    if isinstance(value, dict):
        yield from _in_object(schema, value, root, at)
    if isinstance(value, list):
        yield from _in_array(schema, value, root, at)
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        yield f"{at} is too short"
    if isinstance(value, int | float) and not isinstance(value, bool) and value < schema.get("minimum", value):
        yield f"{at} is {value}, at least {schema['minimum']} is allowed"


def _is(value: Any, kinds: str | list[str]) -> bool:
    names = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, _TYPES[name]) for name in names)


def _in_object(schema: Mapping[str, Any], value: dict[str, Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    known = schema.get("properties", {})
    yield from (f"{at} has no {name}" for name in schema.get("required", ()) if name not in value)
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in known:
            yield from _misfits(known[name], item, root, f"{at}.{name}")
        elif others is False:
            yield f"{at}.{name} is not known"
        elif isinstance(others, dict):
            yield from _misfits(others, item, root, f"{at}.{name}")


def _in_array(schema: Mapping[str, Any], value: list[Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{at} has {len(value)} items"
    first = schema.get("prefixItems", [])
    for index, item in enumerate(value):
        part = first[index] if index < len(first) else schema.get("items")
        if isinstance(part, dict):
            yield from _misfits(part, item, root, f"{at}[{index}]")
