"""JSON as evidence: one canonical form to digest, and a reader that takes nothing in silence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any, cast


def plain(value: Any) -> Any:
    """`value` as JSON types: dataclasses become objects, times and days ISO 8601, enums their values."""
    if is_dataclass(value) and not isinstance(value, type):
        if type(value).__name__ == "Duration":
            return str(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def canonical_json(value: Any) -> bytes:
    """The one byte form of a document: sorted keys, no spaces, UTF-8; ValueError for NaN and infinities."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def pretty_json(value: Any) -> bytes:
    """The form that is written to disk for people; ValueError for NaN and infinities."""
    return (json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def sha256(data: bytes) -> str:
    """`sha256:<hex>` of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def short(digest: str) -> str:
    """The first twelve hex digits, enough to tell digests apart on a screen."""
    return digest.removeprefix("sha256:")[:12]


def read_json(data: bytes) -> dict[str, Any]:
    """Parse one JSON object; ValueError for duplicate keys, NaN, infinities, or anything but an object."""
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    if not isinstance(value, dict):
        raise ValueError("the document is not an object")
    return cast("dict[str, Any]", value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!r} stands twice")
        result[key] = value
    return result


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number that can be compared")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large for a number")
    return value
