"""Waivers: somebody lets a gate, or one slice of it, pass for a reason and up to a day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import ALL
from gatewright.domain.gate import Comparison, GateResult, Verdict, Waiver
from gatewright.rules.gates.overall import worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """The results after the waivers, those that were used, and what is to be said about the others."""

    results: tuple[GateResult, ...]
    used: tuple[Waiver, ...]
    warnings: tuple[str, ...]


def check_expiry(waivers: Iterable[Waiver], today: date) -> None:
    """UnusableInput for a waiver whose last day has passed: what it covered has to be decided again."""
    expired = [waiver for waiver in waivers if waiver.expires < today]
    if expired:
        names = ", ".join(f"{_subject(waiver)} (by {waiver.by}, until {waiver.expires})" for waiver in expired)
        raise UnusableInput(
            f"{'a waiver has' if len(expired) == 1 else f'{len(expired)} waivers have'} expired: {names}",
            fix="mend the cause and remove the waiver from gates.waivers, or have somebody answer for a later day",
        )


def waive(results: Sequence[GateResult], waivers: Sequence[Waiver]) -> Waived:
    """Let what is waived pass: a verdict that was not PASS keeps its reason and numbers, and says who let it pass."""
    used: list[Waiver] = []
    waived: list[GateResult] = []
    for result in results:
        own = [waiver for waiver in waivers if waiver.gate == result.gate]
        changed, applied = _waive_gate(result, own) if result.verdict is not Verdict.PASS else (result, [])
        waived.append(changed)
        used += applied
    warnings = [
        f"{waiver.gate}: waived for {_subject(waiver)} by {waiver.by} until {waiver.expires}: {waiver.reason}"
        for waiver in used
    ]
    judged = {result.gate for result in results}
    warnings += [
        f"{waiver.gate}: the waiver for {_subject(waiver)} by {waiver.by} was not needed: remove it"
        for waiver in waivers
        if waiver not in used and waiver.gate in judged
    ]
    return Waived(results=tuple(waived), used=tuple(used), warnings=tuple(warnings))


def _waive_gate(result: GateResult, waivers: Sequence[Waiver]) -> tuple[GateResult, list[Waiver]]:
    whole = next((waiver for waiver in waivers if waiver.slice is None), None)
    if whole is not None:
        comparisons = tuple(_waived(found, whole) if _open(found) else found for found in result.comparisons)
        return replace(result, verdict=Verdict.PASS, why=_why(result, [whole]), comparisons=comparisons), [whole]
    by_slice = {waiver.slice: waiver for waiver in waivers}
    hit = [found for found in result.comparisons if _open(found) and found.slice in by_slice]
    if not hit:
        return result, []
    comparisons = tuple(
        _waived(found, by_slice[found.slice]) if found in hit else found for found in result.comparisons
    )
    applied = [by_slice[name] for name in dict.fromkeys(found.slice for found in hit)]
    verdict = worst(
        [Verdict.PASS if found.waived_by else found.verdict for found in comparisons if _counts(result, found)]
    )
    return replace(result, verdict=verdict, why=_why(result, applied), comparisons=comparisons), applied


def _counts(result: GateResult, found: Comparison) -> bool:
    """Whether a comparison has a part in its gate's verdict: untested slices have none in golden and point mode."""
    if found.verdict is not Verdict.INCONCLUSIVE or found.waived_by:
        return True
    if result.gate == "golden":
        return found.slice == ALL
    arithmetic = result.gate == "slices" and result.alpha is None
    return not arithmetic or result.verdict is Verdict.INCONCLUSIVE


def _open(found: Comparison) -> bool:
    return found.verdict is not Verdict.PASS


def _waived(found: Comparison, waiver: Waiver) -> Comparison:
    return replace(found, waived_by=waiver.by)


def _why(result: GateResult, waivers: Sequence[Waiver]) -> str:
    told = "; ".join(f"{_subject(waiver)} is waived by {waiver.by} until {waiver.expires}" for waiver in waivers)
    return f"{told}; without the waiver: {result.verdict}: {result.why}"


def _subject(waiver: Waiver) -> str:
    return waiver.slice or f"the {waiver.gate} gate"
