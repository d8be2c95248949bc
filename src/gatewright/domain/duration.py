"""Durations as people write them: `15s`, `30m`, `4h`, `1d`, `500ms`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SHORTEST, _LONGEST = 0.001, 366 * 86400.0


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in seconds, from a millisecond to 366 days."""

    seconds: float

    @classmethod
    def parse(cls, text: object) -> Duration:
        """Read `text`; ValueError says which forms are allowed."""
        if isinstance(text, Duration):
            return text
        match = _FORM.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError("a duration is a number with a unit: 500ms, 15s, 30m, 4h or 1d")
        seconds = float(match[1]) * _UNITS[match[2]]
        if not _SHORTEST <= seconds <= _LONGEST:
            raise ValueError("a duration is at least 1ms and at most 366d")
        return cls(seconds)

    def __str__(self) -> str:
        """The shortest text that is read back as the same duration."""
        for unit in ("d", "h", "m", "s"):
            count = self.seconds / _UNITS[unit]
            if count >= 1 and count == int(count):
                return f"{int(count)}{unit}"
        in_ms = f"{self.seconds * 1000:.15g}ms"
        return in_ms if self.seconds < 1 and Duration.parse(in_ms) == self else f"{self.seconds!r}s"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^{_FORM.pattern}$", "examples": ["15s", "30m", "4h"]}
