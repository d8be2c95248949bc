"""The npm lock: every package with its hash, and nothing that says where it came from."""

from __future__ import annotations

import json

from tests.pipelines.node import install

LOCK = install.HERE / "package-lock.json"


def test_every_package_has_a_hash_and_no_address() -> None:
    packages = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    installed = {name: package for name, package in packages.items() if name}
    assert len(installed) > 100
    assert [name for name, package in installed.items() if not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in installed.items() if "resolved" in package] == []


def test_the_lock_is_that_of_the_package_file() -> None:
    wanted = json.loads((install.HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    assert locked[""]["dependencies"] == wanted
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
