"""A counter without a value: gone, or not there yet since the server began anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.domain.evidence import Look
from gatewright.store.database import Database
from gatewright.testing.scenes import Answer, Watched
from tests.fixtures.evidence_scenes import ARMS
from tests.fixtures.evidence_servers import PrometheusOfErrorsScene

GOOD = (Answer(took_ms=5.0),) * 20


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    scene = PrometheusOfErrorsScene(tmp_path, Database(tmp_path / "state.db")).wire(monkeypatch)
    found = Watched.begin(scene)
    found.looks(found.enough())
    return found


def looks(watched: Watched, number: int) -> list[Look]:
    """So many looks, between which both arms answer well."""
    found = []
    for _ in range(number):
        for role in ARMS:
            watched.scene.serve(watched.rollout, watched.weight, role, GOOD * 10)
        watched.scene.forward(watched.scene.look_s)
        found.append(watched.look())
    return found


def test_errors_that_are_gone_are_no_evidence_as_long_as_they_are(watched: Watched) -> None:
    with watched.scene.broken("no errors"):
        found = looks(watched, 8)
    assert all(look.error for look in found[1:])
    assert "errors of canary has no value any more" in (found[-1].error or "")
    assert not any(look.observations for look in found[1:])
    assert looks(watched, 2)[-1].error is None


def test_a_server_that_began_anew_has_no_errors_yet(watched: Watched) -> None:
    for role in ARMS:
        watched.scene.restart(role)
    found = looks(watched, 8)
    assert found[-1].error is None
    assert [seen.block.canary_bad for seen in found[-1].observations] == [0, 0]  # type: ignore[union-attr]
