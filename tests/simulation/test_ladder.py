"""What a rollout promises, over whole ladders: how often it is wrong, and how soon it finds what is wrong.

`make test` runs a few hundred rollouts of each kind, with three standard errors of allowance; `--slow` all cells of
docs/rollout-evidence.md again, 2,000 rollouts each (`tests.simulation.measure` prints and keeps them).
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.simulation.crowd_figures import late_labels, regular_users, visiting_users
from tests.simulation.figures import FAULTS, PROMOTE_MARGINS, Figures, at_the_promote_margin, equal_models, time_to_find
from tests.simulation.measure import cells

MEASURED = Path(__file__).resolve().parents[2] / "docs" / "rollout-evidence.json"
FALSE_ROLLBACKS, FALSE_PROMOTIONS = 0.01, 0.05
# Minutes until half of the faults are found at 200 requests/s and 5 %: by the default margins, and at margin 0.
WITHIN = {"errors 1 → 2 %": (8.0, 4.0), "quality 92 → 90 %": (11.0, 6.0), "p99 + 20 %": (6.0, 3.0)}
STEP_ONE_AND_TWO_S = 4.5 * 3600.0


def limit(share: float, rollouts: int) -> float:
    """The share and three standard errors of the simulation."""
    return share + 3 * math.sqrt(share * (1 - share) / rollouts)


@pytest.mark.parametrize(("rate", "moving", "rollouts"), [(20.0, False, 60), (2.0, True, 400)])
def test_equal_models_are_not_rolled_back_where_traffic_is_thin(rate: float, moving: bool, rollouts: int) -> None:
    found = equal_models(rate, rollouts, moving=moving, tick_s=60.0, peers=False)
    print(found)
    assert found["rolled back"] <= limit(FALSE_ROLLBACKS, rollouts)


def test_at_two_hundred_a_second_a_good_release_goes_live_in_the_time_of_its_holds() -> None:
    rollouts = 100
    found = equal_models(200.0, rollouts, tick_s=60.0, seed=3)
    print(found)
    assert found["rolled back"] <= limit(FALSE_ROLLBACKS, rollouts)
    assert found["without extension"] >= 0.95
    assert found["hours"][0] == 28.5
    assert found["peers"]["fixed threshold, limit 0"] > 0.5
    assert found["peers"]["z-test each minute, p < .05"] > 0.5


def test_a_moving_base_rate_ends_the_rollouts_of_the_others_only() -> None:
    rollouts = 100
    found = equal_models(200.0, rollouts, moving=True, tick_s=60.0, seed=4)
    print(found)
    assert found["rolled back"] <= limit(FALSE_ROLLBACKS, rollouts)
    assert found["peers"]["fixed threshold, limit 3"] == found["peers"]["z-test each minute, our α"] == 1.0


@pytest.mark.parametrize("margin", [None, 0.0])
@pytest.mark.parametrize("fault", FAULTS)
def test_half_of_the_faults_are_found_within_minutes(fault: str, margin: float | None) -> None:
    rollouts = 300
    found = time_to_find(fault, rollouts, margin=margin, peers=False)
    print(found)
    within = WITHIN[fault][margin is not None]
    assert found["by minute"][str(int(within))] >= 0.5 - 3 * math.sqrt(0.25 / rollouts)


@pytest.mark.parametrize("metric", PROMOTE_MARGINS)
def test_a_canary_at_its_promote_margin_is_seldom_shown_acceptable(metric: str) -> None:
    rollouts = 200
    found = at_the_promote_margin([metric], rollouts, guarded=False, until_s=STEP_ONE_AND_TWO_S)
    print(found)
    assert found["shown acceptable"] <= limit(FALSE_PROMOTIONS, rollouts)


def test_the_whole_rule_rolls_it_back() -> None:
    found = at_the_promote_margin(["errors"], 100, guarded=True)
    print(found)
    assert found["promoted"] <= limit(FALSE_PROMOTIONS, 100)
    assert found["rolled back"] > 0.9


def test_late_labels_under_a_moving_base_rate_roll_nothing_back() -> None:
    rollouts = 100
    found = late_labels(200.0, rollouts, naive=False, until_s=STEP_ONE_AND_TWO_S)
    naive = late_labels(200.0, rollouts, naive=True, until_s=STEP_ONE_AND_TWO_S)
    print(found, naive)
    assert found["rolled back"] <= limit(FALSE_ROLLBACKS, rollouts)
    assert naive["rolled back"] > 0.5


def test_visits_whose_requests_resemble_each_other_roll_nothing_back() -> None:
    rollouts = 100
    shares = {
        handling: visiting_users(20.0, 0.2, rollouts, handling=handling, until_s=STEP_ONE_AND_TWO_S)["rolled back"]
        for handling in ("product", "naive")
    }
    print(shares)
    assert shares["product"] <= limit(FALSE_ROLLBACKS, rollouts)
    assert shares["naive"] > 0.2


def test_unlucky_users_of_the_canary_roll_nothing_back() -> None:
    rollouts = 40
    shares = {
        handling: regular_users(20.0, 2_000, 0.2, rollouts, handling=handling, until_s=2 * 3600.0)["rolled back"]
        for handling in ("product", "naive")
    }
    print(shares)
    assert shares["product"] <= limit(FALSE_ROLLBACKS, rollouts)
    assert shares["naive"] > 0.1


def kept(name: str, found: Figures) -> bool:
    """Whether the promise that belongs to a cell of the page is kept; what others do is promised nothing."""
    if name.startswith("found,"):
        fault = found["fault"]
        return bool(found["median"] <= WITHIN[fault][found["margin"] is not None])
    if name.startswith("at the promote margin"):
        alone = len(found["metrics"]) == 1
        shares = [found["promoted"], found["shown acceptable"] if alone else 0.0]
        return max(shares) <= limit(FALSE_PROMOTIONS, found["rollouts"])
    if found.get("handling", "product") != "product" or found.get("naive") or "rolled back" not in found:
        return True
    return bool(found["rolled back"] <= limit(FALSE_ROLLBACKS, found["rollouts"]))


def test_what_is_promised_was_measured() -> None:
    """Of users who come all the time the page says which cells nobody has measured."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    assert {name for name in cells() if not name.startswith("regulars")} <= set(measured) <= set(cells())


# Of regular users at the promote margin the page tells a limit that remains, and no promise.
PROMISED = [name for name in json.loads(MEASURED.read_text(encoding="utf-8")) if not name.startswith("regulars at")]


@pytest.mark.parametrize("name", PROMISED)
def test_what_was_measured_keeps_the_promise(name: str) -> None:
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    assert kept(name, measured[name]), measured[name]


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", cells())
def test_measured_anew_it_keeps_it_too(name: str) -> None:
    found = cells()[name](rollouts=2000)
    print(name, found)
    assert kept(name, found), found
