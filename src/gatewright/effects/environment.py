"""The Python environment that a training command finds: interpreter, installed distributions, files that pin them."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.errors import UnusableInput
from gatewright.effects.files import digest_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PINS = (
    "requirements.txt", "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "conda-lock.yml",
    "environment.yml",
)  # fmt: skip
"""Files in the root of a project that say which packages are to be installed."""


def training_environment(root: Path, named: Iterable[str] = ()) -> dict[str, Any]:
    """The environment as JSON: `python`, `implementation`, `platform`, `packages` (name → version), `records` (name →
    sha256 of the distribution's RECORD, which lists the hash of each installed file; null where it has none), `pins`
    (file below `root` → sha256), and `digest` over all of these.

    `named` are more files than `PINS` to look for; those that are not there are left out.
    """
    installed = dict(sorted(_installed(), key=lambda item: item[0].lower()))
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": {name: version for name, (version, _) in installed.items()},
        "records": {name: record for name, (_, record) in installed.items()},
        "pins": {
            name: "sha256:" + digest_file(root / name) for name in sorted({*PINS, *named}) if (root / name).is_file()
        },
    }
    return {**found, "digest": environment_digest(found)}


def environment_digest(environment: dict[str, Any]) -> str:
    """Over everything that an environment says of itself, its own `digest` left out."""
    return sha256(canonical_json({name: value for name, value in environment.items() if name != "digest"}))


def installed_with(name: str) -> list[dict[str, Any]]:
    """The installed distribution `name` and every installed one that it needs, directly or not, extras left out.

    Each with its `name`, `version`, `record` (sha256 of its RECORD) and `needs` (names).

    UnusableInput when it is not installed as a distribution.
    """
    found: dict[str, dict[str, Any]] = {}
    waiting = [name]
    while waiting:
        wanted = waiting.pop()
        if _normalised(wanted) in found:
            continue
        try:
            here = distribution(wanted)
        except PackageNotFoundError:
            continue  # for another platform, or an extra that nobody asked for
        needs = [match[0] for each in here.requires or () if "extra ==" not in each and (match := _NAME.match(each))]
        record = here.read_text("RECORD")
        found[_normalised(wanted)] = {
            "name": here.metadata["Name"],
            "version": here.version,
            "record": "sha256:" + hashlib.sha256(record.encode()).hexdigest() if record else None,
            "needs": tuple(needs),
        }
        waiting += needs
    if _normalised(name) not in found:
        raise UnusableInput(f"{name} is not installed as a package", fix=f"pip install {name}")
    return list(found.values())


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed() -> Iterator[tuple[str, tuple[str, str | None]]]:
    """(name, (version, digest of its RECORD)); of a name that is installed twice, the one that is imported."""
    known = set[str]()
    for each in distributions():
        named = name_and_version(each)
        if named is None or named[0].lower() in known:
            continue
        known.add(named[0].lower())
        record = each.read_text("RECORD")
        yield named[0], (named[1], "sha256:" + hashlib.sha256(record.encode()).hexdigest() if record else None)


def name_and_version(distribution: Distribution) -> tuple[str, str] | None:
    """From the head of its metadata: parsing all of it, twice, costs 2 ms a package."""
    head = (distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or "").partition("\n\n")[0]
    lines = [line for line in reversed(head.splitlines()) if line.startswith(("Name: ", "Version: "))]
    fields = dict(line.split(": ", 1) for line in lines)
    return (fields["Name"], fields["Version"]) if fields.keys() == {"Name", "Version"} else None
