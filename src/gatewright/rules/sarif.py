"""Findings of checks as SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_PLACE = re.compile(r"(?P<file>[^:]+\.[A-Za-z0-9]+):(?P<line>[1-9][0-9]*)(?::(?P<column>[1-9][0-9]*))?")


def sarif_of(checks: Sequence[Mapping[str, Any]], *, dependencies: str | None) -> dict[str, Any]:
    """One run per check, in the form of `validation.json`.

    A finding in a line of a file stands there; one of a package stands in the file `dependencies`. A check that could
    not run is told as such: it has no results, and did not succeed.
    """
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [_run(check, dependencies) for check in checks],
    }


def _run(check: Mapping[str, Any], dependencies: str | None) -> dict[str, Any]:
    findings = check["findings"]
    invocation: dict[str, Any] = {"executionSuccessful": check["status"] != "unavailable"}
    if check["status"] == "unavailable":
        text = f"could not run, which is no pass: {check['summary']}"
        invocation["toolExecutionNotifications"] = [{"level": "error", "message": {"text": text}}]
    return {
        "tool": {
            "driver": {
                "name": check["check"],
                "rules": [{"id": rule} for rule in sorted({finding["rule"] for finding in findings})],
            }
        },
        "invocations": [invocation],
        "results": [_result(finding, dependencies) for finding in findings],
    }


def _result(finding: Mapping[str, Any], dependencies: str | None) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding["rule"],
        "level": "error",
        "message": {"text": f"{finding['where']}: {finding['what']}"},
    }
    place = _PLACE.fullmatch(finding["where"])
    file = place["file"] if place else dependencies
    if file is None:
        return result
    physical: dict[str, Any] = {"artifactLocation": {"uri": file}}
    if place:
        region = {"startLine": int(place["line"])}
        physical["region"] = region | ({"startColumn": int(place["column"])} if place["column"] else {})
    return {**result, "locations": [{"physicalLocation": physical}]}
