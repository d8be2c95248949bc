"""The promises of port `Registry`, as tests that run over any adapter.

A subclass gives a fixture `opened`: a function of a workspace's root that returns a new registry, as another process
would have one, on the same versions each time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import pytest

from gatewright.domain.errors import DigestChanged
from gatewright.domain.lineage import Candidate, ModelVersion
from gatewright.effects.files import measure_artifact
from gatewright.ports import Attaching, CarriesModels, DistantRegistry, Registration, Registry

Opened: TypeAlias = Callable[[Path], Registry]
MODEL = "conformance"
_TRAINED = datetime(2026, 1, 1, tzinfo=UTC)


def registration(
    root: Path, content: str = "one", *, run: str = "r1", model: str = MODEL, times: int = 1000
) -> Registration:
    """A candidate of two files, one of them in a folder, which holds `content` that many `times`."""
    folder = root / ".gatewright" / "runs" / f"{run}-{content}" / "model"
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    (folder / "model.skops").write_text(content)
    (folder / "parts" / "weights.bin").write_bytes(content.encode() * times)
    artifact = replace(measure_artifact(folder), uri=folder.relative_to(root).as_posix())
    candidate = Candidate(
        model=model,
        artifact=artifact,
        data="sha256:d",
        commit="abc",
        params={"command": ["python", "train.py"], "format": "skops"},
        trained_at=_TRAINED,
    )
    return Registration(
        candidate=candidate,
        data_digest="sha256:d",
        report_digest="sha256:r",
        run=run,
        documents={"evaluation-report.json": b"{}", "verdict.json": b'{"verdict": "pass"}'},
        metrics={"overall_accuracy": 0.9, "slices/SEX=1": 0.8},
        links={"train": "people-train v1"},
    )


class RegistryConformance:
    """What every registry keeps."""

    @pytest.fixture
    def opened(self) -> Opened:
        """A registry for a root; an adapter's own tests say how it is made."""
        pytest.fail("the subclass says how a registry is made")

    def test_the_same_digest_is_one_version_whoever_registers_it(self, opened: Opened, tmp_path: Path) -> None:
        first = opened(tmp_path).register(registration(tmp_path))
        again = opened(tmp_path).register(registration(tmp_path, run="r2"))
        other = opened(tmp_path).register(registration(tmp_path, "two"))
        registry = opened(tmp_path)
        assert (first.number, again) == (1, first)
        assert other.number > first.number
        assert (first.commit, first.data, first.report, first.run) == ("abc", "sha256:d", "sha256:r", "r1")
        assert registry.find(MODEL, other.artifact.digest) == other
        assert registry.numbered(MODEL, first.number) == first
        assert registry.find("another", other.artifact.digest) is None

    def test_what_was_never_registered_is_not_there(self, opened: Opened, tmp_path: Path) -> None:
        registry = opened(tmp_path)
        found = (registry.find(MODEL, "sha256:0"), registry.numbered(MODEL, 1), registry.serving(MODEL))
        assert found == (None, None, None)

    def test_bytes_that_differ_from_their_digest_are_not_registered(self, opened: Opened, tmp_path: Path) -> None:
        wanted = registration(tmp_path)
        (tmp_path / wanted.candidate.artifact.uri / "model.skops").write_text("swapped")
        with pytest.raises(DigestChanged, match="the model in"):
            opened(tmp_path).register(wanted)
        assert opened(tmp_path).find(MODEL, wanted.candidate.artifact.digest) is None
        right = registration(tmp_path)
        assert opened(tmp_path).register(right).artifact.digest == right.candidate.artifact.digest

    def test_many_at_once_register_one_version(self, opened: Opened, tmp_path: Path) -> None:
        def register(run: int) -> ModelVersion:
            return opened(tmp_path).register(registration(tmp_path, run=f"r{run}"))

        with ThreadPoolExecutor(4) as pool:
            numbers = {version.number for version in pool.map(register, range(4))}
        found = opened(tmp_path).find(MODEL, registration(tmp_path).candidate.artifact.digest)
        assert found is not None
        assert numbers == {found.number}

    def test_the_baseline_is_the_version_that_was_marked_last(self, opened: Opened, tmp_path: Path) -> None:
        registry = opened(tmp_path)
        assert registry.serving(MODEL) is None
        first, second = (registry.register(registration(tmp_path, content)) for content in ("one", "two"))
        for version in (first, second, second):
            registry.mark_serving(MODEL, version)
        assert opened(tmp_path).serving(MODEL) == second
        registry.mark_serving(MODEL, first)
        assert opened(tmp_path).serving(MODEL) == first
        for _ in range(2):
            registry.mark_serving(MODEL, None)
        assert opened(tmp_path).serving(MODEL) is None

    def test_what_is_registered_no_longer_depends_on_the_run(self, opened: Opened, tmp_path: Path) -> None:
        wanted = registration(tmp_path)
        version = opened(tmp_path).register(wanted)
        (tmp_path / wanted.candidate.artifact.uri / "model.skops").write_text("overwritten")
        assert measure_artifact(tmp_path / version.artifact.uri).digest == version.artifact.digest

    def test_a_distant_registry_brings_the_bytes_to_another_machine(self, opened: Opened, tmp_path: Path) -> None:
        here, there = tmp_path / "here", tmp_path / "there"
        registry = opened(there)
        if not (isinstance(registry, DistantRegistry) and isinstance(registry, CarriesModels)):
            pytest.skip("a registry of one machine")
        opened(here).register(registration(here))
        version = registry.find(MODEL, registration(here).candidate.artifact.digest)
        assert version is not None
        registry.bring(version.artifact)
        assert measure_artifact(there / version.artifact.uri).digest == version.artifact.digest

    def test_what_is_attached_is_given_back_and_is_no_part_of_the_model(self, opened: Opened, tmp_path: Path) -> None:
        first, second = (opened(tmp_path).register(registration(tmp_path, content)) for content in ("one", "two"))
        registry = _attaching(opened(tmp_path))
        before = measure_artifact(tmp_path / first.artifact.uri).digest
        names = ("model.sig", "attestations/lock.json", "attestations/verdict.json")
        assert [registry.attached(first, name) for name in names] == [None] * 3
        for name in names:
            registry.attach(first, name, name.encode())
        registry.attach(first, "model.sig", b"another")
        registry.attach(first, "model.sig", b"another")
        again = _attaching(opened(tmp_path))
        assert [again.attached(first, name) for name in names] == [b"another", *(name.encode() for name in names[1:])]
        assert [again.attached(second, name) for name in names] == [None] * 3
        assert measure_artifact(tmp_path / first.artifact.uri).digest == before == first.artifact.digest
        found = opened(tmp_path).register(registration(tmp_path, "one", run="r2"))
        assert found == first

    def test_what_is_attached_to_a_distant_registry_is_had_by_another_machine(
        self, opened: Opened, tmp_path: Path
    ) -> None:
        here, there = tmp_path / "here", tmp_path / "there"
        if not isinstance(opened(there), DistantRegistry):
            pytest.skip("a registry of one machine")
        _attaching(opened(here)).attach(opened(here).register(registration(here)), "card/model-card.md", b"# A card")
        registry = _attaching(opened(there))
        version = opened(there).find(MODEL, registration(here).candidate.artifact.digest)
        assert version is not None
        assert registry.attached(version, "card/model-card.md") == b"# A card"


def _attaching(registry: Registry) -> Attaching:
    if not isinstance(registry, Attaching):
        pytest.skip("a registry that keeps no files")
    return registry
