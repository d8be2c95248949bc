"""Dataclasses from stored JSON, by the same strict types that made it."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def decode(kind: type[T], data: str | bytes) -> T:
    """A `kind` from its JSON; pydantic's ValidationError if the text does not fit (a damaged or foreign row)."""
    if kind not in _adapters:
        from pydantic import TypeAdapter

        _adapters[kind] = TypeAdapter(kind)
    result: T = _adapters[kind].validate_json(data)
    return result


_adapters: dict[type[Any], Any] = {}
