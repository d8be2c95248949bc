"""Bills of materials: what is in them, that the same environment gives the same bytes, and that they fit the schema."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from gatewright import __version__
from gatewright.cli.main import gatewright
from gatewright.effects.environment import environment_digest, training_environment
from gatewright.rules.bill_of_materials import archives_of, of_environment

AT = datetime(2026, 1, 1, tzinfo=UTC)
LOCK = """
# a comment
Solid_Thing[extra]==1.0 \\
    --hash=sha256:{0} \\
    --hash=sha256:{1}
    # via other
other==2.1 ; sys_platform == 'win32' \\
    --hash=sha256:{0}
loose>=3
"""


def fits(bill: Any) -> bool:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_hashes_of_a_lock() -> None:
    zeros, ones = "0" * 64, "1" * 64
    found = archives_of(LOCK.format(zeros, ones))
    assert found == {"solid-thing==1.0": (zeros, ones), "other==2.1": (zeros,)}


def test_the_environment_as_a_bill(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("click==8.2.0\n")
    environment = training_environment(tmp_path)
    assert environment["digest"] == environment_digest(environment)
    assert list(environment["pins"]) == ["requirements.txt"]
    version = environment["packages"]["click"]
    archives = {f"click=={version}": ("0" * 64,)}
    bill = of_environment(environment, model="m", at=AT, archives=archives)
    assert bill == of_environment(environment, model="m", at=AT, archives=archives)
    assert fits(bill)
    click = next(each for each in bill["components"] if each["name"] == "click")
    assert click["hashes"][0]["content"] == environment["records"]["click"].removeprefix("sha256:")
    assert click["externalReferences"][0]["hashes"] == [{"alg": "SHA-256", "content": "0" * 64}]
    (tmp_path / "requirements.txt").write_text("click==8.2.1\n")
    other = training_environment(tmp_path)
    assert other["digest"] != environment["digest"]
    assert of_environment(other, model="m", at=AT)["serialNumber"] != bill["serialNumber"]


def test_our_own_release() -> None:
    told = CliRunner().invoke(gatewright, ["sbom"])
    bill = json.loads(told.output)
    assert fits(bill)
    assert (bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"]) == (
        "gatewright", __version__,
    )  # fmt: skip
    names = {each["name"].lower() for each in bill["components"]}
    assert {"click", "polars", "scipy"} <= names
    assert {"pytest", "skops", "gatewright"} & names == set()
    assert all(each["hashes"][0]["alg"] == "SHA-256" for each in bill["components"])
