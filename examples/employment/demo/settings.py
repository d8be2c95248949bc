"""What the demo sets differently from a real rollout, in one place; printed before anything happens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


class DemoFailed(Exception):
    """The demo cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`steps`: (per cent, seconds of hold). `rate`: requests/s. `every`: of the training rows every n-th is used.

    `latency`: margins to roll back and to promote.
    """

    steps: tuple[tuple[int, int], ...] = ((5, 15), (25, 10), (50, 10))
    rate: int = 320
    min_requests: int = 200
    every: int = 1
    latency_samples: int = 1000
    audit: bool = True
    latency: tuple[float, float] = (0.005, 0.02)
    hyperparameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def weights(self) -> tuple[int, ...]:
        """The canary's weights, in per cent, on its way up."""
        return tuple(weight for weight, _ in self.steps)

    def rollout(self) -> str:
        """Section `rollout` of gatewright.yaml."""
        steps = ", ".join(f"{{weight: {weight}, hold: {hold}s}}" for weight, hold in self.steps)
        return (
            "rollout:  # settings of the demo: minutes instead of days\n"
            f"  steps: [{steps}]\n"
            "  tick: 1s\n"
            "  lease: 30s\n"
            f"  min_requests: {self.min_requests}\n"
            "  max_extension: 90s\n"
            "  errors: {rollback_margin: 0.0025, promote_margin: 0.01}\n"
            f"  latency: {{rollback_margin: {self.latency[0]}, promote_margin: {self.latency[1]}}}\n"
            "  breaker: {max_error_share: 0.05, tick: 1s}\n"
        )

    def told(self) -> str:
        """The same for people."""
        holds = "/".join(str(hold) for _, hold in self.steps)
        return (
            "Demo settings (a real rollout takes days): errors promote margin 1 pp, "
            f"latency promote margin {self.latency[1] * 100:g} pp, "
            f"at least {self.min_requests} canary requests a step, tick 1 s, holds {holds} s, extension 90 s."
        )


QUICK = Settings(
    steps=((50, 1),),
    min_requests=50,
    every=3,
    latency_samples=300,
    audit=False,
    latency=(0.05, 0.1),
    hyperparameters={"n_estimators": 40},
)
"""For tests: the same acts on a third of the rows, with one short step and without asking for vulnerabilities."""


def configuration(example: str, settings: Settings, *, port: int, floor: float | None = None) -> str:
    """The example's gatewright.yaml with the demo's port and rollout; `floor` replaces the floor of accuracy."""
    text = _replaced(example, r"\bport: \d+", f"port: {port}")
    text = _replaced(text, r"(?m)^rollout:.*(?:\n(?:[ #].*)?$)*", settings.rollout().rstrip("\n")).rstrip() + "\n"
    if settings.latency_samples != Settings().latency_samples:
        text = _replaced(text, r"(?m)^evaluation:$", f"evaluation:\n  latency_samples: {settings.latency_samples}")
    if not settings.audit:
        text = _replaced(text, r"(?m)^  dependencies: .*$", "  dependencies: none")
    if floor is not None:
        text = _replaced(text, r"\bmin: [0-9.]+", f"min: {floor}")
    return text


def _replaced(text: str, pattern: str, by: str) -> str:
    changed, count = re.subn(pattern, lambda _: by, text)
    if count != 1:
        raise DemoFailed(f"gatewright.yaml of the example has {count} places like {pattern!r}, the demo needs one")
    return changed
