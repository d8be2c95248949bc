"""The plain values of a configuration, looked up without fear of their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatewright.config.problems import Path
from gatewright.domain.duration import Duration

Finding = tuple[Path, str]
"""Where something is wrong, and what."""


@dataclass(frozen=True, slots=True)
class Values:
    """A mapping that was read, whatever it holds."""

    root: dict[str, Any]

    def at(self, path: Path) -> Any:
        """The value at `path`; None where there is none."""
        value: Any = self.root
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def entries(self, path: Path) -> list[Any]:
        """The list at `path`; empty where there is none."""
        found = self.at(path)
        return found if isinstance(found, list) else []

    def number(self, path: Path) -> float | None:
        """The number at `path`; None where there is none."""
        found = self.at(path)
        return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None

    def seconds(self, path: Path, default: Duration) -> float | None:
        """The duration at `path` in seconds; None if it is not one."""
        found = self.at(path)
        try:
            return Duration.parse(default if found is None else found).seconds
        except ValueError:
            return None
