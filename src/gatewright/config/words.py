"""Types in the words of the people who write the file: what is allowed, and what was probably meant."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen, Predicate

from gatewright.config.problems import Path, shown
from gatewright.config.scalars import resolve
from gatewright.domain.duration import Duration

_PER_CENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_NUMBERS = {float: "a number", int: "a whole number"}
_SWITCH_WORDS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})


def keys_of(annotation: Any) -> tuple[str, ...]:
    """The keys that a mapping of this type may have; empty if it is no dataclass."""
    return tuple(
        field.name
        for arm in _arms(annotation)
        if is_dataclass(plain := _bare(arm)) and isinstance(plain, type)
        for field in fields(plain)
        if field.init
    )


def annotation_at(kind: Any, path: Path) -> Any:
    """The type of the value at `path` inside a `kind`; None where there is none."""
    current: Any = kind
    for part in path:
        inner = (_inside(_bare(arm), part) for arm in _arms(current))
        current = next((found for found in inner if found is not None), None)
        if current is None:
            return None
    return current


def described(annotation: Any) -> str:
    """What is allowed, as the end of a sentence: "a share: a share lies between 0 and 1"."""
    arms = _arms(annotation)
    if len(arms) > 1:
        return ", or ".join(described(arm) for arm in arms)
    annotation = arms[0] if arms else Any
    plain, limits = _bare(annotation), _limits(annotation)
    origin = get_origin(plain)
    if plain in _NUMBERS:
        if _is_share(annotation):
            return "a share: a share lies between 0 and 1"
        return _NUMBERS[plain] + _range(limits)
    if origin is Literal:
        return f"one of: {', '.join(str(option) for option in get_args(plain))}"
    if isinstance(plain, type) and issubclass(plain, Enum):
        return f"one of: {', '.join(str(option.value) for option in plain)}"
    if is_dataclass(plain) and plain is not Duration:
        return f"a mapping with the keys: {', '.join(keys_of(plain)) or 'none'}"
    if origin is not None:
        return _collection(origin, limits)
    names = {
        str: "a non-empty text" if "min_length" in limits else "text",
        bool: "true or false",
        Duration: "a duration such as 500ms, 15s, 30m, 4h or 1d",
    }
    names[date] = "a day such as 2026-12-31"
    names[datetime] = "a time such as 2026-01-31T12:00:00Z"
    return names.get(plain, "a value of the right kind")


def options_of(annotation: Any) -> tuple[str, ...]:
    """The words that may stand here, if only certain words may."""
    found: list[str] = []
    for arm in _arms(annotation):
        plain = _bare(arm)
        if get_origin(plain) is Literal:
            found += [str(option) for option in get_args(plain)]
        elif isinstance(plain, type) and issubclass(plain, Enum):
            found += [str(option.value) for option in plain]
    return tuple(found)


def demanded(annotation: Any) -> str:
    """What a predicate of `annotation` asks for, by its name and its docstring: "header name: lower-case letters …"."""
    for predicate in (extra for arm in _arms(annotation) for extra in getattr(arm, "__metadata__", ())):
        if isinstance(predicate, Predicate):
            name, told = predicate.func.__name__.replace("_", " "), predicate.func.__doc__ or ""
            return f"{name}: {told.rstrip('.')}"
    return described(annotation)


def hint(annotation: Any, value: Any) -> str:
    """What was probably meant by `value`, or an empty text."""
    guesses = (_hint(arm, value) for arm in _arms(annotation))
    return next((f"; {guess}" for guess in guesses if guess), "")


def _hint(annotation: Any, value: Any) -> str:
    plain = _bare(annotation)
    if plain in _NUMBERS:
        return _number_hint(annotation, value)
    if plain is bool and isinstance(value, str) and value.lower() in _SWITCH_WORDS:
        return "write true or false, without quotes"
    if plain is str and isinstance(value, (bool, int, float)):
        return f'put it in quotes: "{shown(value)}"'
    if plain is Duration and isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return f"did you mean {value:g}s?"
    listed = get_origin(plain) in (tuple, list, set, frozenset)
    if listed and isinstance(value, (str, int, float)) and value != "":
        return f"write it as a list: [{value if isinstance(value, str) and len(value) < 40 else shown(value)}]"
    return ""


def _number_hint(annotation: Any, value: Any) -> str:
    if isinstance(value, str):
        if match := _PER_CENT.fullmatch(value):
            number = float(match[1]) / 100 if _is_share(annotation) else float(match[1])
            return f"did you mean {number:g}?"
        number_like = resolve(value.strip())
        if isinstance(number_like, (int, float)) and not isinstance(number_like, bool) and value.strip():
            return f"write {value.strip()} without quotes"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if _is_share(annotation) and 1 < value <= 100:
            return f"did you mean {value / 100:g}?"
        if _bare(annotation) is int and value == int(value) and isinstance(value, float):
            return f"write {int(value)}"
    return ""


def _arms(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union without None; a type that is no union is its only alternative."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(arm for member in get_args(annotation) if member is not type(None) for arm in _arms(member))
    return (annotation,)


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _inside(plain: Any, part: str | int) -> Any:
    origin, arguments = get_origin(plain), get_args(plain)
    if isinstance(plain, type) and is_dataclass(plain):
        return _hints(plain).get(str(part))
    if origin is tuple and arguments and isinstance(part, int):
        return arguments[0] if arguments[-1] is Ellipsis else arguments[min(part, len(arguments) - 1)]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arguments[1]
    if origin is not None and arguments and isinstance(part, int):
        return arguments[0]
    return None


def _limits(annotation: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    extras: Iterable[Any] = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    for extra in extras:
        for kind, name in ((Ge, "ge"), (Gt, "gt"), (Le, "le"), (Lt, "lt"), (MinLen, "min_length")):
            if isinstance(extra, kind):
                found[name] = getattr(extra, name)
    return found


def _is_share(annotation: Any) -> bool:
    limits = _limits(annotation)
    lower = limits.get("ge", limits.get("gt"))
    return _bare(annotation) is float and lower == 0 and limits.get("le", limits.get("lt")) == 1


def _range(limits: dict[str, Any]) -> str:
    words = {"ge": "of at least", "gt": "greater than", "le": "at most", "lt": "less than"}
    if "ge" in limits and "le" in limits:
        return f" from {limits['ge']} to {limits['le']}"
    said = [f"{words[name]} {limits[name]}" for name in ("ge", "gt", "le", "lt") if name in limits]
    return f" {' and '.join(said)}" if said else ""


def _collection(origin: Any, limits: dict[str, Any]) -> str:
    noun = "a mapping" if isinstance(origin, type) and issubclass(origin, Mapping) else "a list"
    least = limits.get("min_length")
    return f"{noun} with at least {least} {'entry' if least == 1 else 'entries'}" if least else noun
