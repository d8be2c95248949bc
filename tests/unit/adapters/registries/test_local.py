"""The local registry: one version per digest, proven bytes, one baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.adapters.registries.local import LocalRegistry, Options
from gatewright.domain.errors import DigestChanged
from gatewright.domain.lineage import Candidate
from gatewright.effects.files import measure_artifact
from gatewright.ports import Context, Registration
from gatewright.store.database import Database
from gatewright.testing import FakeClock


@pytest.fixture
def registry(tmp_path: Path) -> LocalRegistry:
    database = Database(tmp_path / ".gatewright" / "state.db")
    return LocalRegistry(Options(), Context(root=tmp_path, model="toy", database=database, clock=FakeClock()))


def registration(folder: Path, content: str = "one", run: str = "r1") -> Registration:
    folder.mkdir(exist_ok=True)
    (folder / "model.skops").write_text(content)
    candidate = Candidate(
        model="toy",
        artifact=measure_artifact(folder),
        data="sha256:d",
        commit="abc",
        params={},
        trained_at=FakeClock().now(),
    )
    return Registration(candidate=candidate, data_digest="sha256:d", report_digest="sha256:r", run=run)


def test_the_same_digest_is_one_version_whoever_registers_it(registry: LocalRegistry, tmp_path: Path) -> None:
    first = registry.register(registration(tmp_path / "model"))
    again = registry.register(registration(tmp_path / "model", run="r2"))
    other = registry.register(registration(tmp_path / "model", "two"))
    assert (first.number, again, other.number) == (1, first, 2)
    assert (first.commit, first.data, first.report, first.run) == ("abc", "sha256:d", "sha256:r", "r1")
    assert registry.find("toy", other.artifact.digest) == other
    assert registry.find("another", other.artifact.digest) is None


def test_what_is_stored_no_longer_depends_on_the_run(registry: LocalRegistry, tmp_path: Path) -> None:
    version = registry.register(registration(tmp_path / "model"))
    (tmp_path / "model" / "model.skops").write_text("overwritten")
    assert measure_artifact(tmp_path / version.artifact.uri).digest == version.artifact.digest


def test_bytes_that_differ_from_their_digest_are_not_registered(registry: LocalRegistry, tmp_path: Path) -> None:
    wanted = registration(tmp_path / "model")
    (tmp_path / "model" / "model.skops").write_text("swapped")
    with pytest.raises(DigestChanged, match="the model in"):
        registry.register(wanted)
    assert registry.find("toy", wanted.candidate.artifact.digest) is None
    (tmp_path / "model" / "model.skops").write_text("one")
    assert registry.register(wanted).number == 1, "a copy that was refused must not stand in the way"


def test_the_baseline_is_the_version_that_was_marked_last(registry: LocalRegistry, tmp_path: Path) -> None:
    assert registry.serving("toy") is None
    first = registry.register(registration(tmp_path / "model"))
    second = registry.register(registration(tmp_path / "model", "two"))
    for version in (first, second, second):
        registry.mark_serving("toy", version)
    assert registry.serving("toy") == second
    registry.mark_serving("toy", None)
    assert registry.serving("toy") is None


def test_a_version_of_another_model_is_separate(registry: LocalRegistry, tmp_path: Path) -> None:
    one = registration(tmp_path / "model")
    registry.register(one)
    other = registry.register(replace(one, candidate=replace(one.candidate, model="other")))
    assert (other.model, other.number) == ("other", 1)
