"""Step 0 on the real gateway: copies reach the canary, and clients neither see nor feel it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from gatewright.domain.rollout import Phase
from gatewright.domain.routing import cluster_name
from gatewright.effects.segments import segments
from gatewright.store.prediction_log import log_folder
from tests.fixtures import toy
from tests.fixtures.live import Project, check_ended
from tests.fixtures.load import USERS, Load

pytestmark = pytest.mark.xdist_group("live-1")
STEP = {"steps": [{"weight": 50, "hold": "500ms"}]}


def until_shadowing(project: Project, run: subprocess.Popen[str]) -> None:
    """Wait until the rollout of this run has copies, read back from the gateway."""

    def there() -> bool:
        assert run.poll() is None, run.communicate()
        with project.workspace() as workspace:
            rollout = workspace.rollouts.active(toy.MODEL)
            if rollout is None or rollout.phase is not Phase.SHADOWING:
                return False
            return workspace.traffic.state(rollout).mirror > 0

    project.until("step 0", there)


def logged(project: Project, word: str) -> list[dict[str, Any]]:
    """What the model servers logged of this rollout's requests whose route ends with `word`."""
    rollout = project.rollout()
    paths = segments(log_folder(project.root, toy.MODEL), "predictions")
    entries = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
    return [each for each in entries if each["route"].startswith(f"{rollout.id}|") and each["route"].endswith(word)]


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = run.communicate(timeout=50)
    return run.returncode, out + err


def test_clients_get_stables_answers_while_the_canary_gets_copies(project: Project) -> None:
    project.new_model(rollout={**STEP, "shadow": {"hold": "1s", "share": 0.5}})
    with Load(project.port) as load:
        run = project.start("run")
        until_shadowing(project, run)
        rollout = project.rollout()
        stable, canary = (cluster_name(digest or "")[6:] for digest in (rollout.stable, rollout.canary))
        seen = set(load.models())
        project.until("copies are answered", lambda: len(logged(project, "|copy")) > 50)
        if project.rollout().phase is Phase.SHADOWING:
            assert load.models() == seen
            assert canary not in load.models()
        code, said = ended(run)
    assert code == 0, said
    assert not load.failures
    copies, originals = logged(project, "|copy"), logged(project, "|mirrored")
    assert {each["arm"] for each in copies} == {canary}
    assert {each["arm"] for each in originals} == {stable}
    assert {each["id"] for each in copies} <= {each["id"] for each in originals}
    (revision,) = {each["route"].split("|")[1] for each in originals}
    asked = [each for each in logged(project, "") if each["arm"] == stable and each["route"].split("|")[1] == revision]
    assert 0.3 < len(originals) / len(asked) < 0.7
    found = project.rollout().shadow
    assert found is not None
    assert found.asked >= 20
    assert (found.failed, found.equal) == (0, found.asked)
    draws = project.rollout().share
    assert draws is not None
    assert (draws.weight, draws.reapplied) == (50, 0)
    assert 20 < draws.drawn <= USERS
    assert 0.3 < draws.canary / draws.drawn < 0.7
    check_ended(project, project.runs()[-1], "promoted")


@pytest.mark.slow
def test_a_canary_that_answers_otherwise_goes_back_before_its_first_request(project: Project) -> None:
    far = {"pause_margin": 0.1, "rollback_margin": 0.1}
    project.new_model("useless", gates="none", rollout={**STEP, "shadow": {"hold": "60s"}, "drift": far})
    with Load(project.port, rate=200) as load:
        code, said = ended(project.start("run"))
    assert code == 1, said
    assert "step 0: prediction drift above 0.1: prediction 1: " in said
    assert not load.failures
    rollout = project.rollout()
    assert cluster_name(rollout.canary)[6:] not in load.models()
    assert rollout.shadow is not None
    assert rollout.shadow.equal < rollout.shadow.asked / 2
    assert rollout.requests == 0
    check_ended(project, project.runs()[-1], "rolled_back")


@pytest.mark.slow
def test_a_canary_that_crashes_on_copies_never_gets_a_request(project: Project) -> None:
    lenient = {"max_error_share": 1.0, "tick": "300ms"}
    project.new_model(rollout={**STEP, "shadow": {"hold": "60s"}, "breaker": lenient})
    with Load(project.port) as load:
        run = project.start("run")
        until_shadowing(project, run)
        name = cluster_name(project.rollout().canary)
        project.kill_until_the_end(name, run)
        code, said = ended(run)
    assert code == 1, said
    assert "the canary does not run: it ended 3 times in a row" in said
    assert not load.failures
    assert name[6:] not in load.models()
    check_ended(project, project.runs()[-1], "rolled_back")
