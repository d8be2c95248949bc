"""Which gates are checked: what is configured, less what is skipped, and on the first deployment only the floors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewright.domain.errors import UnusableInput
from gatewright.domain.gate import CORE_GATES, GATE_NAMES, GateName
from gatewright.domain.project import GatesSection

_COMPARING: frozenset[GateName] = frozenset({"slices", "golden", "auc"})
"""Gates that only compare: without a baseline there is nothing for them to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """The gates to check, in order, and what every report says about the others."""

    gates: tuple[GateName, ...]
    skipped: tuple[GateName, ...]
    warnings: tuple[str, ...]
    bootstrap_by: str | None


def set_agenda(
    gates: GatesSection,
    names: Sequence[GateName],
    has_baseline: bool,
    *,
    bootstrap_by: str | None,
    skip: frozenset[GateName] = frozenset(),
) -> Agenda:
    """The gates of `names` that are configured and not in `skip`.

    UnusableInput when none is left, or when a first deployment lacks its floor or the person who allows it.
    """
    wanted = [name for name in names if getattr(gates, name) is not None and name not in skip]
    if not wanted:
        raise UnusableInput("no gate is left to check", fix="skip fewer gates, or configure one")
    warnings = [
        f"{name}: not checked, gates.{name} is none"
        for name in CORE_GATES
        if getattr(gates, name) is None and name not in skip
    ]
    if not has_baseline:
        wanted = _first_deployment(gates, wanted, bootstrap_by, warnings)
    elif bootstrap_by is not None:
        warnings.append(f"a baseline serves already: bootstrap by {bootstrap_by} was not needed")
        bootstrap_by = None
    return Agenda(
        gates=tuple(wanted),
        skipped=tuple(name for name in GATE_NAMES if name in skip),
        warnings=tuple(warnings),
        bootstrap_by=bootstrap_by,
    )


def _first_deployment(
    gates: GatesSection, wanted: list[GateName], bootstrap_by: str | None, warnings: list[str]
) -> list[GateName]:
    """The gates that have an absolute floor."""
    if not bootstrap_by:
        raise UnusableInput(
            "there is no baseline: this would be the first deployment, and somebody has to allow it",
            fix="say who: --bootstrap-by NAME",
        )
    overall = gates.overall
    if overall is not None and "overall" in wanted and overall.min is None and overall.max is None:
        raise UnusableInput(
            "there is no baseline, and gates.overall has no absolute floor",
            fix="set what a first model must reach: gates: {overall: {min: 0.70}}",
        )
    left = [name for name in wanted if name not in _COMPARING]
    if not left:
        raise UnusableInput("there is no baseline, and no gate with an absolute floor is left", fix="skip fewer gates")
    warnings += [
        f"{name}: not compared, there is no baseline (first deployment)" for name in wanted if name in _COMPARING
    ]
    warnings.append(f"bootstrap: absolute floors alone decided, allowed by {bootstrap_by}")
    return left
