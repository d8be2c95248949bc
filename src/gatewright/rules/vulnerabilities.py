"""Which known vulnerabilities fail an audit: the policy of severity, and what somebody let through until a day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from gatewright.domain.project import Allowance, FailOn

Severity = Literal["unknown", "none", "low", "medium", "high", "critical"]
_RANK: tuple[Severity, ...] = ("none", "low", "medium", "high", "critical")
_WORDS: dict[str, Severity] = {
    "low": "low",
    "moderate": "medium",
    "medium": "medium",
    "high": "high",
    "critical": "critical",
}
# CVSS v3.1 specification, table 16: https://www.first.org/cvss/v3.1/specification-document
_ATTACK = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_COMPLEXITY = {"L": 0.77, "H": 0.44}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_INTERACTION = {"N": 0.85, "R": 0.62}
_IMPACT = {"N": 0.0, "L": 0.22, "H": 0.56}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """One that an auditor named, in the package and version `where`."""

    where: str
    id: str
    aliases: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    severity: Severity = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What fails, each with a sentence; what was let through and why; allowances of what is not there."""

    failing: tuple[tuple[Vulnerability, str], ...]
    let_through: tuple[str, ...]
    unused: tuple[str, ...]


def judge(found: Iterable[Vulnerability], *, fail_on: FailOn, allow: Sequence[Allowance], today: date) -> Audited:
    """An allowance holds through its last day. A severity that nobody knows is as bad as the worst."""
    failing, passed, used = list[tuple[Vulnerability, str]](), list[str](), set[str]()
    for each in found:
        allowance = next((one for one in allow if one.id in (each.id, *each.aliases)), None)
        if allowance is not None:
            used.add(allowance.id)
        if allowance is not None and today <= allowance.expires:
            until = f"until {allowance.expires} by {allowance.by}: {allowance.reason}"
            passed.append(f"{each.id} in {each.where}, allowed {until}")
        elif allowance is not None:
            failing.append((each, f"{_sentence(each)}; {allowance.by} allowed it until {allowance.expires}"))
        elif _fails(each, fail_on):
            failing.append((each, _sentence(each)))
        else:
            passed.append(f"{each.id} in {each.where}, not at fault under fail_on: {fail_on}")
    unused = tuple(one.id for one in allow if one.id not in used)
    return Audited(failing=tuple(failing), let_through=tuple(passed), unused=unused)


def severity(record: Any) -> Severity:
    """Of an OSV record (https://ossf.github.io/osv-schema/): its CVSS v3 vector, else the word of its database."""
    scores = [_base_score(entry["score"]) for entry in record.get("severity") or () if entry.get("type") == "CVSS_V3"]
    known = [score for score in scores if score is not None]
    if known:
        return _named(max(known))
    word = (record.get("database_specific") or {}).get("severity")
    return _WORDS.get(str(word).lower(), "unknown")


def _fails(each: Vulnerability, fail_on: FailOn) -> bool:
    if fail_on == "any":
        return True
    if fail_on == "fixable":
        return bool(each.fixed)
    return each.severity == "unknown" or _RANK.index(each.severity) >= _RANK.index(fail_on)


def _sentence(each: Vulnerability) -> str:
    what = f"fixed in {', '.join(each.fixed)}" if each.fixed else "no release fixes it"
    known = f"{each.severity}, {what}" if each.severity != "unknown" else what
    return f"{known} ({', '.join(each.aliases)})" if each.aliases else known


def _base_score(vector: str) -> float | None:
    """The base score, 0 to 10, of a CVSS v3.0 or v3.1 vector (specification, section 7.1); None for another one."""
    parts = dict(part.partition(":")[::2] for part in vector.split("/"))
    try:
        changed = parts["S"] == "C"
        privileges = _PRIVILEGES[parts["S"]][parts["PR"]]
        ease = 8.22 * _ATTACK[parts["AV"]] * _COMPLEXITY[parts["AC"]] * privileges * _INTERACTION[parts["UI"]]
        left = (1 - _IMPACT[parts["C"]]) * (1 - _IMPACT[parts["I"]]) * (1 - _IMPACT[parts["A"]])
    except KeyError:
        return None
    base = 1 - left
    impact = 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 if changed else 6.42 * base
    if impact <= 0:
        return 0.0
    return _rounded_up(min(10.0, (1.08 if changed else 1.0) * (impact + ease)))


def _rounded_up(value: float) -> float:
    """To one decimal, as appendix A of the specification does it."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10


def _named(score: float) -> Severity:
    """The qualitative scale of the specification, table 14."""
    bands: tuple[tuple[float, Severity], ...] = ((0.0, "none"), (3.9, "low"), (6.9, "medium"), (8.9, "high"))
    return next((name for most, name in bands if score <= most), "critical")
