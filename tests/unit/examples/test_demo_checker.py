"""Every check of the checker can fail: a spotless demo passes, and each single blemish is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from checker import Checker
from evidence import Evidence, Rollout

FIRST, SECOND, FOURTH = (f"sha256:{digit * 64}" for digit in "124")


def record(run: str, kind: str, why: str, actor: str = "gatewright", **details: Any) -> dict[str, Any]:
    return {"run": run, "kind": kind, "why": why, "actor": actor, "details": details}


SPOTLESS = Evidence(
    records=[
        record("r1", "promoted", "first deployment", actor="ada", bootstrap=True),
        record("r2", "step", "healthy"),
        record("r2", "promoted", "all traffic"),
        record("r3", "stopped", "gate: slices gate: RAC1P=6: 0.61 is 0.18 below"),
        record("r4", "rolled_back", "errors: the canary fails 10 %"),
    ],
    broken="",
    rollouts={
        "r1": Rollout(canary=FIRST),
        "r2": Rollout(canary=SECOND, asked=[5, 25, 50, 100], observed=[5, 25, 50, 100]),
        "r4": Rollout(canary=FOURTH, asked=[5], observed=[5], exposed_s=4.0),
    },
    versions=[("r1", FIRST), ("r2", SECOND), ("r4", FOURTH)],
    quarantined={FOURTH},
    serving=SECOND,
    traffic={
        "finished": True,
        "sent": 900,
        "ok": 900,
        "failed": {},
        "rate": 319.0,
        "latest_s": 0.1,
        "models": {"1" * 12: 300, "2" * 12: 590, "4" * 12: 10},
    },
    live={f"model-{'2' * 12}": 99.99, f"model-{'1' * 12}": 0.01},
    live_problem="",
)


def decides(evidence: Evidence, acts: tuple[int, ...] = (1, 2, 3, 4)) -> bool:
    return Checker(evidence, acts, (5.0, 25.0, 50.0), 300.0).run()


def with_record(place: int, **changes: Any) -> Evidence:
    records = [*SPOTLESS.records]
    records[place] = {**records[place], **changes}
    return replace(SPOTLESS, records=records)


def with_rollout(run: str, **changes: Any) -> Evidence:
    return replace(SPOTLESS, rollouts={**SPOTLESS.rollouts, run: replace(SPOTLESS.rollouts[run], **changes)})


def with_traffic(**changes: Any) -> Evidence:
    return replace(SPOTLESS, traffic={**SPOTLESS.traffic, **changes})


def without_act_4() -> Evidence:
    rollouts = {run: rollout for run, rollout in SPOTLESS.rollouts.items() if run != "r4"}
    return replace(SPOTLESS, records=SPOTLESS.records[:-1], rollouts=rollouts, versions=SPOTLESS.versions[:-1])


BLEMISHES: list[tuple[str, Callable[[], Evidence]]] = [
    ("recorded as bootstrap", lambda: with_record(0, actor="gatewright")),
    ("recorded as bootstrap", lambda: with_record(0, details={})),
    ("act 1: the terminal record says promoted", lambda: with_record(0, kind="stopped")),
    ("act 2: the terminal record says promoted", lambda: with_record(2, kind="rolled_back")),
    ("act 2: weights asked for", lambda: with_rollout("r2", asked=[5, 25, 100])),
    ("act 2: weights read back", lambda: with_rollout("r2", observed=[5, 25, 0, 50, 100])),
    ("act 3: the terminal record says stopped", lambda: with_record(3, kind="promoted")),
    ("names RAC1P=6", lambda: with_record(3, why="gate: slices gate: SEX=1")),
    ("names RAC1P=6", lambda: with_record(3, why="train: RAC1P=6")),
    ("nothing was registered", lambda: replace(SPOTLESS, versions=[*SPOTLESS.versions, ("r3", FOURTH)])),
    ("act 4: the terminal record says rolled_back", without_act_4),
    ("because of errors", lambda: with_record(4, why="latency: the canary is slow")),
    ("back within", lambda: with_rollout("r4", exposed_s=31.0)),
    ("back within", lambda: with_rollout("r4", exposed_s=None)),
    ("is quarantined", lambda: replace(SPOTLESS, quarantined=set())),
    ("nothing of it is in the live route", lambda: replace(SPOTLESS, live={f"model-{'4' * 12}": 0.01})),
    ("live route of Envoy gives", lambda: replace(SPOTLESS, live={f"model-{'2' * 12}": 95.0})),
    ("live route of Envoy gives", lambda: replace(SPOTLESS, live_problem="Envoy is gone")),
    ("the baseline is", lambda: replace(SPOTLESS, serving=FIRST)),
    ("chain of records", lambda: replace(SPOTLESS, broken="record 2 does not fit")),
    ("one terminal record", lambda: replace(SPOTLESS, records=[*SPOTLESS.records, SPOTLESS.records[0]])),
    ("one terminal record", lambda: replace(SPOTLESS, versions=[*SPOTLESS.versions, ("r5", FIRST)])),
    ("no client request failed", lambda: with_traffic(failed={"status 503": 1})),
    ("no client request failed", lambda: with_traffic(finished=False)),
    ("every request was answered", lambda: with_traffic(ok=899)),
    ("at least 300 answers/s", lambda: with_traffic(rate=299.0)),
    ("model of act 4 answered", lambda: with_traffic(models={"1" * 12: 300, "2" * 12: 590})),
    ("every request was answered", lambda: replace(SPOTLESS, traffic={})),
]


def test_a_spotless_demo_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert decides(SPOTLESS)
    assert "✘" not in capsys.readouterr().out


@pytest.mark.parametrize(("what", "blemished"), BLEMISHES)
def test_each_blemish_is_named(
    what: str, blemished: Callable[[], Evidence], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not decides(blemished())
    lines = capsys.readouterr().out.splitlines()
    assert any("✘" in line and what in line for line in lines), lines


def test_nothing_at_all_fails() -> None:
    nothing = replace(SPOTLESS, records=[], rollouts={}, versions=[], quarantined=set(), serving=None, traffic={})
    assert not decides(replace(nothing, live={}, live_problem="no gateway"))


def test_a_shorter_play_is_judged_by_its_own_acts() -> None:
    first = replace(
        SPOTLESS,
        records=SPOTLESS.records[:1],
        rollouts={"r1": SPOTLESS.rollouts["r1"]},
        versions=SPOTLESS.versions[:1],
        serving=FIRST,
        live={f"model-{'1' * 12}": 100.0},
    )
    assert decides(first, acts=(1,))
