"""Two models in one workspace: one supervisor, but ports, rollouts and records of their own, at the same time."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.fixtures import toy
from tests.fixtures.live import Project
from tests.fixtures.ports import free_port

pytestmark = pytest.mark.xdist_group("live-2")
ROW = {"instances": [{"AGE": 50, "SEX": 1, "REGION": 2}]}


def name_models(root: Path, ports: dict[str, int]) -> None:
    """Give the toy's configuration to several models that differ in their port."""
    document = yaml.safe_load((root / "gatewright.yaml").read_text())
    document.pop("model", None)
    document.pop("models", None)
    serving = document.pop("serving", {"kind": "envoy"})
    models = {name: {"serving": {**serving, "port": port}} for name, port in ports.items()}
    (root / "gatewright.yaml").write_text(yaml.safe_dump({**document, "models": models}, sort_keys=False))


def asked(port: int) -> list[int]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", json.dumps(ROW).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        predictions: list[int] = json.load(answer)["predictions"]
        return predictions


@pytest.mark.slow
def test_two_models_are_deployed_at_once_and_the_supervisor_adopts_the_second(tmp_path: Path) -> None:
    ports = {"toy": free_port(), "twin": free_port()}
    project = Project(root=tmp_path / "project", port=ports["toy"])
    toy.write_project(project.root, port=ports["toy"])
    name_models(project.root, {"toy": ports["toy"]})
    try:
        assert project.command("serve", "start").returncode == 0
        name_models(project.root, ports)
        refused = project.command("run", "--bootstrap-by", "ada")
        assert (refused.returncode, "2 models: toy, twin" in refused.stderr) == (2, True)
        both = [project.start("run", "--model", model, "--bootstrap-by", "ada") for model in ports]
        for run in both:
            out, err = run.communicate(timeout=90)
            assert run.returncode == 0, out + err
        assert [asked(port) for port in ports.values()] == [[1], [1]]
        ended = project.query("SELECT json_extract(body, '$.model') FROM records WHERE terminal = 1")
        assert sorted(ended) == [("toy",), ("twin",)]
        served = "SELECT model, name FROM processes WHERE name NOT LIKE 'model-%'"
        everything = {("", "supervisor"), ("", "nursery"), ("toy", "gateway"), ("twin", "gateway")}
        project.until("one of each", lambda: set(project.query(served)) == everything)
        status = json.loads(project.command("status", "--model", "twin", "--output", "json").stdout)
        assert status["model"] == "twin"
        assert status["orphans"] == []
        assert {row["name"] for row in status["processes"]} > {"supervisor", "nursery", "gateway"}
        assert len(status["processes"]) == 4
    finally:
        assert project.command("serve", "stop").returncode == 0
    assert project.query("SELECT * FROM processes") == []
