"""The proof that lies with a registered version: all of it is there, a machine without its own can verify by it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from gatewright.adapters.registries.local import ATTACHED
from gatewright.cli.main import gatewright
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.domain.rollout import Phase
from gatewright.engine import opening, pipeline
from gatewright.engine.cards import CARDS
from gatewright.engine.controller import Controller
from gatewright.engine.environment import BILL
from gatewright.engine.handover import Handover
from gatewright.engine.keeping import keep_evidence, keep_later
from gatewright.engine.provenance.chain import LINKS, Chain, walk
from gatewright.engine.provenance.deployment import find_deployment
from gatewright.engine.reversal import roll_back
from gatewright.engine.signing import SIGNATURE, bring_signature
from gatewright.store.runs import HANDOFFS
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.fixtures.deployed import chain_of, flip, pretended, run_of
from tests.fixtures.elsewhere import copied, strip
from tests.fixtures.keys import key_pair
from tests.fixtures.repository import commit_all

pytestmark = [pytest.mark.xdist_group("deployed"), pytest.mark.timeout(300)]

STATEMENTS = tuple(f"attestations/{name}.json" for name in HANDOFFS)


def serving(workspace: Workspace) -> ModelVersion:
    version = workspace.registry.serving(toy.MODEL)
    assert version is not None
    return version


def kept(root: Path) -> Path:
    """The folder with what is attached to the version that serves."""
    workspace = Workspace.open(root)
    try:
        digest = serving(workspace).artifact.digest.removeprefix("sha256:")
    finally:
        workspace.database.close()
    return root / ".gatewright" / "registry" / ATTACHED / toy.MODEL / digest


@dataclass
class Distant:
    """The registry of a workspace as if it were far away, and at times not to be reached."""

    own: Any
    down: set[str]

    def __getattr__(self, name: str) -> Any:
        if name in self.down:
            raise_down: Callable[..., Any] = _unreachable
            return raise_down
        return getattr(self.own, name)

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        self.__getattr__("attach")(version, name, content)

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        return cast("bytes | None", self.__getattr__("attached")(version, name))

    def keep(self, artifact: Artifact) -> None:
        self.__getattr__("keep")(artifact)

    def bring(self, artifact: Artifact) -> None:
        self.__getattr__("bring")(artifact)


def _unreachable(*_: object, **__: object) -> Any:
    raise WorldFailed("the registry cannot be reached", fix="is it up?")


def far(workspace: Workspace, *down: str) -> Workspace:
    return replace(workspace, registry=cast("Any", Distant(workspace.registry, set(down))))


def states(chain: Chain) -> dict[str, str]:
    return {link.name: link.state for link in chain.links if link.state != "proven"}


def test_all_of_it_is_kept_with_the_version_and_none_of_it_is_the_model(deployed: Path) -> None:
    folder, run = kept(deployed), run_of(deployed)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {SIGNATURE, BILL, *CARDS, *STATEMENTS}
    for name in (BILL, *CARDS, *STATEMENTS):
        assert (folder / name).read_bytes() == (run.path / name).read_bytes(), name
    assert chain_of(deployed).state == "proven"


def test_a_machine_with_nothing_but_the_state_proves_every_link_by_what_the_registry_keeps(deployed: Path) -> None:
    strip(deployed)
    assert chain_of(deployed).state == "proven"
    assert (deployed / ".gatewright" / "signatures" / "toy").is_dir()
    whole = CliRunner().invoke(gatewright, ["verify", "1", "-C", str(deployed)])
    assert (whole.exit_code, "all 11 links hold" in whole.output) == (0, True)


@pytest.mark.parametrize(
    ("name", "link", "told"),
    [
        (SIGNATURE, "registration", "model.sig, which the registry keeps with version 2"),
        ("model-card.md", "registration", "model-card.md changed"),
        (BILL, "environment", "sbom.cdx.json changed"),
        ("attestations/lock.json", "data", "attestations/lock.json"),
        ("attestations/version.json", "registration", "attestations/version.json"),
        ("attestations/deployment-record.json", "traffic", "attestations/deployment-record.json"),
    ],
)
def test_what_was_planted_in_the_registry_is_refused_by_name(deployed: Path, name: str, link: str, told: str) -> None:
    strip(deployed)
    flip(kept(deployed) / name)
    broken = chain_of(deployed).first_broken
    assert broken is not None
    assert (broken.name, told in broken.told) == (link, True), broken.told
    assert not list((deployed / ".gatewright").rglob("signatures/toy/*.sig")) or name != SIGNATURE


def test_the_signature_of_somebody_else_s_key_is_refused_by_name_and_not_laid_here(
    deployed: Path, tmp_path: Path
) -> None:
    from gatewright.effects.signing import signature_of

    private, _ = key_pair(tmp_path, "foreign")
    workspace = Workspace.open(deployed)
    version = serving(workspace)
    (kept(deployed) / SIGNATURE).write_bytes(signature_of(deployed / version.artifact.uri, private))
    strip(deployed)
    with pytest.raises(UnusableInput, match="which the registry keeps with version 2"):
        bring_signature(workspace, version)
    assert not (deployed / ".gatewright" / "signatures").exists()
    refused = CliRunner().invoke(gatewright, ["sign", "2", "--check", "-C", str(deployed)])
    assert isinstance(refused.exception, UnusableInput)


def test_what_is_neither_here_nor_kept_is_no_proof(deployed: Path) -> None:
    strip(deployed)
    shutil.rmtree(kept(deployed))
    chain = chain_of(deployed)
    assert states(chain) == dict.fromkeys([name for name in LINKS if name not in ("records", "approval")], "unproven")
    assert "the registry keeps no attestations/lock.json with version 2" in chain.links[1].told


def test_a_registry_that_cannot_be_reached_leaves_unproven_what_only_it_has(deployed: Path) -> None:
    workspace = far(Workspace.open(deployed), "numbered", "find", "serving", "attached", "bring")
    chain = walk(find_deployment(workspace, "2"))
    assert states(chain) == {"registration": "unproven"}
    told = next(link.told for link in chain.links if link.name == "registration")
    assert told == "what is here holds, but the registry could not be looked at: the registry cannot be reached"
    shutil.rmtree(deployed / ".gatewright" / "signatures")
    run_of(deployed).path.joinpath(BILL).unlink()
    away = far(Workspace.open(deployed), "attached")
    found = walk(find_deployment(away, "2"))
    assert states(found) == {"environment": "unproven", "registration": "unproven"}
    assert {link.told.partition(":")[2] for link in found.links if link.state == "unproven"} == {
        " the registry cannot be reached"
    }
    flip(deployed / serving(Workspace.open(deployed)).artifact.uri / "model.skops")
    assert states(walk(find_deployment(workspace, "2")))["registration"] == "broken"
    with pytest.raises(WorldFailed, match="cannot be reached"):
        find_deployment(workspace, "9")


def test_a_model_that_is_not_here_and_cannot_be_brought_is_not_passed(deployed: Path) -> None:
    shutil.rmtree(deployed / serving(Workspace.open(deployed)).artifact.uri)
    chain = walk(find_deployment(far(Workspace.open(deployed), "bring"), "2"))
    assert states(chain) == {"registration": "unproven"}


def test_a_version_that_was_brought_back_is_proven_by_what_is_kept(deployed: Path) -> None:
    workspace = pretended(deployed)
    rollout = roll_back(workspace, "ada", "it smells")
    assert rollout is not None
    Controller(workspace, Silent()).drive(rollout, until=(Phase.PROMOTED,))
    workspace.database.close()
    strip(deployed)
    chain = chain_of(deployed, rollout.id)
    assert (chain.deployment, states(chain)) == (rollout.id, {})


def test_a_registry_that_fails_fails_the_stage_with_the_name_and_the_next_try_ends_it(deployed: Path) -> None:
    run, workspace = run_of(deployed), Workspace.open(deployed)
    version = serving(workspace)
    shutil.rmtree(kept(deployed))
    handover = Handover(far(workspace, "attach"), run, "register", "version")
    with pytest.raises(WorldFailed, match=r"version 2 is registered, but model\.sig could not be kept with it") as told:
        keep_evidence(handover, version)
    assert told.value.fix == "is it up?"
    keep_evidence(Handover(workspace, run, "register", "version"), version)
    silent = Silent()
    keep_later(far(workspace, "attach"), run, silent)
    assert not (kept(deployed) / "attestations" / "version.json").exists()
    keep_later(workspace, run, silent)
    assert (kept(deployed) / "attestations" / "version.json").exists()


def test_another_run_of_the_same_bytes_takes_nothing_from_the_first(deployed: Path) -> None:
    workspace, run = Workspace.open(deployed), run_of(deployed)
    first = workspace.registry.numbered(toy.MODEL, 1)
    assert first is not None
    before = {path: path.read_bytes() for path in kept(deployed).rglob("*") if path.is_file()}
    other = replace(serving(workspace), run=first.run)
    keep_evidence(Handover(workspace, run, "register", "version"), other)
    assert {path: path.read_bytes() for path in before} == before
    assert (kept(deployed) / run.id / "model-card.md").is_file()
    assert not (kept(deployed) / run.id / SIGNATURE).exists()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A project with a store for its models, its first version registered; and a copy as on another machine."""
    here, there = tmp_path / "here", tmp_path / "there"
    signing = {"public_key": "model.pub"}
    toy.write_project(here, port=1, registry={"kind": "local", "store": str(tmp_path / "store")}, signing=signing)
    private, _ = key_pair(tmp_path, public=here / "model.pub")
    commit_all(here)
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", str(private))
    workspace = Workspace.open(here)
    run = opening.open_run(workspace, bootstrap_by="ada")
    for name in ("validate", "train", "evaluate", "gate", "register"):
        pipeline.run_stage(workspace, run, pipeline.stage_named(name), Silent())
    workspace.database.close()
    return here, copied(here, there)


def test_another_machine_brings_model_signature_and_proof_from_the_store(elsewhere: tuple[Path, Path]) -> None:
    _, there = elsewhere
    chain = chain_of(there, "1")
    # It was never brought to traffic, so that there is no record yet.
    assert states(chain) == dict.fromkeys(("records", "approval", "traffic"), "unproven")
    told = next(link.told for link in chain.links if link.name == "registration")
    assert told.endswith(", signed")


def test_a_store_with_another_model_or_signature_is_refused(elsewhere: tuple[Path, Path]) -> None:
    here, there = elsewhere
    (store,) = (here.parent / "store").rglob("model.sig")
    flip(store)
    broken = chain_of(there, "1").first_broken
    assert broken is not None
    assert (broken.name, "model.sig, which the registry keeps with version 1" in broken.told) == ("registration", True)
    (model,) = (here.parent / "store").rglob("model.skops")
    flip(model)
    shutil.rmtree(there / ".gatewright" / "registry")
    broken = chain_of(there, "1").first_broken
    assert broken is not None
    assert (broken.name, "the model in" in broken.told) == ("registration", True), broken.told
