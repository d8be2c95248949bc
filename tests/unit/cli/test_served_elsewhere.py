"""Commands in a workspace whose traffic a service divides: nothing of it runs on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.s3 import ENVIRONMENT
from tests.unit.cli.conftest import Shell

SECTIONS = """
registry: {kind: sagemaker, store: "s3://models/toy", image: "registry.example.org/serving:1"}
serving:
  kind: sagemaker
  role: "arn:aws:iam::123456789012:role/serving"
  guard: none
  instance_type: ml.m5.large
evidence: {kind: cloudwatch}
rollout: {tick: 1m, breaker: {tick: 1m}}
"""


@pytest.fixture
def elsewhere(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace of these tests, on an endpoint that cannot be reached."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    config = workspace / "gatewright.yaml"
    config.write_text(config.read_text(encoding="utf-8") + SECTIONS, encoding="utf-8")
    return workspace


def test_status_tells_that_nothing_runs_here_and_that_the_endpoint_cannot_be_asked(
    shell: Shell, elsewhere: Path
) -> None:
    shown = shell("status")
    assert shown.code == 0
    assert "nothing runs on this machine: served by sagemaker" in shown.out
    assert "AWS cannot be reached" in shown.out
    found = json.loads(shell("status", "--output", "json").out)
    assert (found["served_here"], found["processes"], found["traffic"]["observed"]) == (False, [], None)


def test_there_is_nothing_to_start(shell: Shell, elsewhere: Path) -> None:
    told = shell("serve", "start")
    assert told.code == 2
    assert "nothing is served on this machine: toy by sagemaker" in told.err
    assert not (elsewhere / ".gatewright" / "logs" / "supervisor.log").exists()


def test_without_a_region_status_still_answers(shell: Shell, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    shown = shell("status")
    assert shown.code == 0
    assert "region" in shown.out
