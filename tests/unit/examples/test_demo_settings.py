from __future__ import annotations

import pytest
import yaml
from settings import QUICK, DemoFailed, Settings, configuration
from workspace import EXAMPLE

TEXT = (EXAMPLE / "gatewright.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("settings", [Settings(), QUICK])
def test_only_port_and_rollout_differ_from_the_example(settings: Settings) -> None:
    before, after = yaml.safe_load(TEXT), yaml.safe_load(configuration(TEXT, settings, port=4711))
    assert after["serving"]["port"] == 4711
    assert [step["weight"] for step in after["rollout"]["steps"]] == list(settings.weights)
    assert after["rollout"]["lease"] == "30s"
    for shared in (before, after):
        del shared["serving"]["port"], shared["rollout"]
        shared["checks"].pop("dependencies")
        shared["evaluation"].pop("latency_samples", None)
    assert after == before


def test_a_floor_out_of_reach_replaces_the_floor() -> None:
    after = yaml.safe_load(configuration(TEXT, Settings(), port=1, floor=0.99))
    assert after["gates"]["overall"]["min"] == 0.99


def test_an_example_that_looks_otherwise_is_refused() -> None:
    with pytest.raises(DemoFailed, match="port"):
        configuration(TEXT.replace("port:", "door:"), Settings(), port=1)


def test_sections_after_the_rollout_stay() -> None:
    after = yaml.safe_load(configuration(TEXT + "\nnotify: []\n", Settings(), port=1))
    assert after["notify"] == []
