"""What has to hold of a model that is not served on this machine, and of the options of an endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.installed import complete_example, problems, read

SERVING = """serving:
  kind: sagemaker
  role: "arn:aws:iam::123456789012:role/serving"
  guard: "arn:aws:iam::123456789012:role/give-back"
  instance_type: ml.m5.large
"""
EVIDENCE = """evidence:
  kind: prometheus
  url: http://127.0.0.1:9090
  slow_above: 100ms
  scrape_interval: 10s
  queries: {total: "t{v='{arm}'}", good: "g{v='{arm}'}", fast: "took_bucket{v='{arm}',le='{le}'}"}
"""
HEAD = """model: people
data: {train: train, evaluation: eval}
train: {command: [python, train.py]}
evaluation: {label: y}
gates: {overall: {min: 0.7}, slices: none, fairness: none}
"""


def found(folder: Path, text: str) -> list[tuple[str, str]]:
    return [(problem.field, problem.what) for problem in problems(folder, text)]


def test_an_endpoint_with_evidence_from_elsewhere_is_read(tmp_path: Path) -> None:
    project = read(tmp_path, HEAD + SERVING + EVIDENCE)
    assert (project.serving.kind, project.serving.options.instances) == ("sagemaker", 1)


@pytest.mark.parametrize("evidence", ["", "evidence: {kind: access-log}\n"])
def test_there_is_no_access_log_of_an_endpoint(tmp_path: Path, evidence: str) -> None:
    ((field, what),) = found(tmp_path, HEAD + SERVING + evidence)
    assert field == ("evidence.kind" if evidence else "serving.kind")
    assert "the access log is that of a gateway" in what


@pytest.mark.parametrize(
    "section", ["quality: {by: label}", "drift: {pause_margin: 0.1}", "slices: [SEX]", "shadow: {hold: 1m}"]
)
def test_what_only_our_servers_log_cannot_be_observed_there(tmp_path: Path, section: str) -> None:
    ((field, what),) = found(tmp_path, HEAD + SERVING + EVIDENCE + f"rollout:\n  {section}\n")
    assert field == "rollout." + section.split(":")[0]
    assert "sagemaker runs none of them" in what


def test_a_gateway_of_this_machine_has_all_of_it(tmp_path: Path) -> None:
    assert problems(tmp_path, complete_example()) == []


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("role", "serving", "serving.role"),
        ("guard", "nobody", "serving.guard"),
        ("instance_type", "m5.large", "serving.instance_type"),
        ("instances", "0", "serving.instances"),
        ("endpoint", "people_2", "serving.endpoint"),
        ("subnets", "[subnet-1]", "serving"),
        ("startup", "10s", "serving"),
        ("environment", "{1: x}", "serving"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_here(tmp_path: Path, key: str, value: str, field: str) -> None:
    lines = [line for line in SERVING.splitlines() if not line.strip().startswith(f"{key}:")]
    text = HEAD + "\n".join(lines) + f"\n  {key}: {value}\n" + EVIDENCE
    ((told, what),) = found(tmp_path, text)
    assert told.startswith(field), (told, what)


def test_no_guard_has_to_be_said(tmp_path: Path) -> None:
    without = "\n".join(line for line in SERVING.splitlines() if "guard" not in line) + "\n"
    assert [field for field, _ in found(tmp_path, HEAD + without + EVIDENCE)] == ["serving.guard"]
    unguarded = without + "  guard: none\n"
    assert found(tmp_path, HEAD + unguarded + EVIDENCE) == []
