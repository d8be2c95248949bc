"""How bad a vulnerability is, asked of an OSV service: the auditors do not tell it."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from gatewright.domain.documents import read_json
from gatewright.domain.errors import WorldFailed
from gatewright.effects.http import get
from gatewright.rules.vulnerabilities import Vulnerability, severity

OSV = "https://api.osv.dev"


def severity_of(found: Vulnerability, service: str | None, *, left_s: float) -> Vulnerability:
    """The same with its severity; `unknown`, which fails every policy, where the service does not tell it."""
    for name in (found.id, *found.aliases):
        url = f"{(service or OSV).rstrip('/')}/v1/vulns/{quote(name, safe='')}"
        try:
            known = severity(read_json(get(url, timeout_s=min(left_s, 10.0))))
        except (WorldFailed, ValueError, TypeError, KeyError, AttributeError):
            continue
        if known != "unknown":
            return replace(found, severity=known)
    return found
