"""A software bill of materials as CycloneDX 1.6 JSON: https://cyclonedx.org/docs/1.6/json/.

The same environment gives the same bytes: the serial number is made from what is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gatewright.domain.documents import canonical_json, sha256

RECORD_PROPERTY = "gatewright:hash-of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One installed package.

    `record` is the sha256 of its RECORD (the list of its files with their hashes), `archives` the sha256 of the files
    it may have been installed from, as a lock allows them, `needs` the names of the packages it asks for.
    """

    name: str
    version: str
    record: str | None = None
    archives: Sequence[str] = ()
    needs: Sequence[str] = ()


def of_environment(
    environment: Mapping[str, Any], *, model: str, at: datetime, archives: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """The bill of what a model was trained with; `archives` maps `name==version` (normalised) to hashes of a lock."""
    components = [
        Component(
            name=name,
            version=version,
            record=environment["records"].get(name),
            archives=(archives or {}).get(f"{normalised(name)}=={version}", ()),
        )
        for name, version in environment["packages"].items()
    ]
    subject = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{model}",
        "name": model,
        "properties": [
            {"name": "gatewright:environment", "value": environment["digest"]},
            {"name": "gatewright:python", "value": f"{environment['implementation']} {environment['python']}"},
            {"name": "gatewright:platform", "value": environment["platform"]},
        ],
    }
    return bill(components, subject=subject, at=at, needs=[each.name for each in components])


def of_release(components: Sequence[Component], *, name: str, version: str, at: datetime | None) -> dict[str, Any]:
    """The bill of an installed package and all that it needs; `components` holds the package itself, too."""
    own = next(each for each in components if normalised(each.name) == normalised(name))
    others = [each for each in components if each is not own]
    subject = {**_component(own), "type": "application", "name": name, "version": version}
    return bill(others, subject=subject, at=at, needs=own.needs)


def bill(
    components: Sequence[Component], *, subject: Mapping[str, Any], at: datetime | None, needs: Iterable[str]
) -> dict[str, Any]:
    """The document: `subject` is what the bill is of, `needs` are the components it asks for itself."""
    known = {normalised(each.name): _reference(each) for each in components}
    ordered = sorted(components, key=lambda each: normalised(each.name))
    body: dict[str, Any] = {
        "components": [_component(each) for each in ordered],
        "dependencies": [
            {"ref": subject["bom-ref"], "dependsOn": _references(needs, known)},
            *({"ref": _reference(each), "dependsOn": _references(each.needs, known)} for each in ordered),
        ],
    }
    metadata: dict[str, Any] = {"component": dict(subject)}
    if at is not None:
        metadata = {"timestamp": at.isoformat(), **metadata}
    digest = sha256(canonical_json({"metadata": metadata, **body}))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{UUID(hex=digest[7:39], version=5)}",
        "version": 1,
        "metadata": metadata,
        **body,
    }


def normalised(name: str) -> str:
    """The one spelling of a package's name: https://packaging.python.org/en/latest/specifications/name-normalization/."""
    return re.sub(r"[-_.]+", "-", name).lower()


def archives_of(lock: str) -> dict[str, tuple[str, ...]]:
    """`name==version` → sha256 digits of its archives, from a requirements file with `--hash=sha256:…`."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", lock.replace("\\\n", " ")):
        pinned = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)", entry)
        if pinned:
            hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
            found[f"{normalised(pinned[1])}=={pinned[2]}"] = hashes
    return found


def _component(each: Component) -> dict[str, Any]:
    purl = _reference(each)
    found: dict[str, Any] = {
        "type": "library", "bom-ref": purl, "name": each.name, "version": each.version, "purl": purl
    }  # fmt: skip
    if each.record:
        found["hashes"] = [{"alg": "SHA-256", "content": each.record.removeprefix("sha256:")}]
        found["properties"] = [{"name": RECORD_PROPERTY, "value": "RECORD"}]
    if each.archives:
        hashes = [{"alg": "SHA-256", "content": digits} for digits in each.archives]
        found["externalReferences"] = [{"type": "distribution", "url": purl, "hashes": hashes}]
    return found


def _reference(each: Component) -> str:
    return f"pkg:pypi/{normalised(each.name)}@{each.version.replace('+', '%2B')}"


def _references(names: Iterable[str], known: Mapping[str, str]) -> list[str]:
    return sorted({known[normalised(name)] for name in names if normalised(name) in known})
