"""Words in braces that stand for an arm: in queries of Prometheus, and in the names of Envoy's clusters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gatewright.config.problems import nearest
from gatewright.domain.rollout import Rollout
from gatewright.domain.routing import cluster_name

Role = Literal["canary", "stable"]
ROLES: tuple[Role, Role] = ("canary", "stable")
OF_AN_ARM = ("arm", "digest", "role")
WORDS = (*OF_AN_ARM, "model", "rollout")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """Marks a text that holds placeholders, of which one tells the arms apart; read strictly, with the nearest word."""

    words: tuple[str, ...] = WORDS

    def check(self, text: str) -> str:
        """`text` itself; ValueError for a word that nobody fills in, or without one that differs between the arms."""
        allowed = ", ".join(f"{{{word}}}" for word in self.words)
        found = _PLACEHOLDER.findall(text)
        for word in found:
            if word not in self.words:
                near = nearest(word, self.words)
                guess = f"did you mean {{{near}}}? " if near else ""
                raise ValueError(f"unknown placeholder {{{word}}}: {guess}allowed: {allowed}")
        if not set(found) & set(OF_AN_ARM):
            raise ValueError("is the same for both arms: one of {arm}, {digest} and {role} has to stand in it")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with every placeholder replaced."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def values_of(rollout: Rollout, role: Role) -> dict[str, str]:
    """What the placeholders stand for in this arm."""
    digest = (rollout.canary if role == "canary" else rollout.stable) or ""
    return {
        "arm": cluster_name(digest),
        "digest": digest.removeprefix("sha256:"),
        "role": role,
        "model": rollout.model,
        "rollout": rollout.id,
    }
