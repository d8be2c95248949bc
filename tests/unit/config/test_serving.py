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
REGISTRY = """registry: {kind: sagemaker, store: "s3://models/people", image: "registry.example.org/serving:1"}
"""
BODY = """\
data: {train: train, evaluation: eval}
train: {command: [python, train.py]}
evaluation: {label: y}
gates: {overall: {min: 0.7}, slices: none, fairness: none}
"""
HEAD = "model: people\n" + BODY + REGISTRY
CLOUDWATCH = """evidence: {kind: cloudwatch}
rollout: {tick: 1m, breaker: {tick: 1m}}
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


def test_an_endpoint_with_evidence_from_cloudwatch_is_read(tmp_path: Path) -> None:
    assert found(tmp_path, HEAD + SERVING + CLOUDWATCH) == []


@pytest.mark.parametrize(("registry", "field"), [("", "serving.kind"), ("registry: {kind: local}\n", "registry.kind")])
def test_an_endpoint_takes_its_versions_from_the_registry_of_sagemaker(
    tmp_path: Path, registry: str, field: str
) -> None:
    ((told, what),) = found(tmp_path, "model: people\n" + BODY + registry + SERVING + CLOUDWATCH)
    assert (told, "registry: {kind: sagemaker" in what) == (field, True)


@pytest.mark.parametrize(
    ("serving", "registry", "evidence", "field"),
    [
        ("  group: people-two\n", "", "", "serving.group"),
        ("", ", group: people-two", "", "serving.group"),
        ("  endpoint: people-two\n", "", "", "evidence.endpoint"),
        ("", "", ", endpoint: people-two", "evidence.endpoint"),
        ("  region: eu-central-1\n", ", region: us-east-1", "", "registry.region"),
        ("  region: eu-central-1\n", "", ", region: us-east-1", "evidence.region"),
    ],
)
def test_who_registers_who_serves_and_who_is_observed_are_the_same(
    tmp_path: Path, serving: str, registry: str, evidence: str, field: str
) -> None:
    text = "model: people\n" + BODY + REGISTRY.replace("}", registry + "}") + SERVING + serving
    text += CLOUDWATCH.replace("cloudwatch}", f"cloudwatch{evidence}}}")
    assert [told for told, _ in found(tmp_path, text)] == [field]


@pytest.mark.parametrize("model", ["people_2", "p-"])
def test_a_name_that_sagemaker_does_not_allow_has_to_be_replaced(tmp_path: Path, model: str) -> None:
    text = f"model: {model}\n" + BODY + REGISTRY + SERVING + CLOUDWATCH
    told = [field for field, _ in found(tmp_path, text)]
    assert told == ["registry.group", "serving.group", "serving.endpoint", "evidence.endpoint"]


@pytest.mark.parametrize(("guard", "told"), [("arn:aws:iam::123456789012:role/g", ["rollout.lease"]), ("none", [])])
def test_a_schedule_ends_no_lease_that_is_shorter_than_a_minute(tmp_path: Path, guard: str, told: list[str]) -> None:
    lines = [f'  guard: "{guard}"' if "guard" in line else line for line in SERVING.splitlines()]
    rollout = "rollout: {lease: 45s, tick: 30s, breaker: {tick: 30s}}\n"
    text = HEAD + "\n".join(lines) + "\n" + EVIDENCE + rollout
    assert [field for field, _ in found(tmp_path, text)] == told


def test_two_models_do_not_divide_one_endpoint(tmp_path: Path) -> None:
    indented = "".join(f"    {line}\n" for line in (BODY + SERVING + "  endpoint: people\n").splitlines())
    models = "models:\n" + "".join(f"  {name}:\n{indented}" for name in ("one", "two"))
    text = models + REGISTRY + CLOUDWATCH.replace("cloudwatch}", "cloudwatch, endpoint: people}")
    assert found(tmp_path, text) == [
        ("models.two.serving.endpoint", "people is also the endpoint of one: give each model its own")
    ]


@pytest.mark.parametrize(
    ("rollout", "told"),
    [
        ("steps: [{weight: 5, hold: 30s}]", ["rollout.max_extension"]),
        ("steps: [{weight: 5, hold: 30s}], max_extension: 239s", ["rollout.max_extension"]),
        ("steps: [{weight: 5, hold: 30s}], max_extension: 240s", []),
        ("steps: [{weight: 5, hold: 1m}]", []),
    ],
)
def test_a_step_waits_at_least_until_its_first_minute_can_be_told(
    tmp_path: Path, rollout: str, told: list[str]
) -> None:
    text = HEAD + SERVING + CLOUDWATCH.replace("rollout: {", f"rollout: {{{rollout}, ")
    assert [field for field, _ in found(tmp_path, text)] == told
