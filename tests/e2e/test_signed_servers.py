"""Signed models on the real supervisor: what is signed is served, what is not is refused, and nobody notices."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gatewright.adapters.registries.local import ATTACHED
from gatewright.domain.documents import short
from gatewright.domain.routing import cluster_name
from gatewright.engine.signing import signature_path
from tests.fixtures import toy
from tests.fixtures.deployed import flip
from tests.fixtures.keys import key_pair
from tests.fixtures.live import Project, check_ended
from tests.fixtures.load import Load
from tests.fixtures.ports import free_port

pytestmark = [pytest.mark.xdist_group("live-4"), pytest.mark.timeout(400)]
UNTIL_REGISTERED = ("validate", "train", "evaluate", "gate", "register")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The first version serves, signed."""
    found = Project(root=tmp_path / "project", port=free_port())
    toy.write_project(found.root, port=found.port, signing={"public_key": "model.pub"})
    private, _ = key_pair(tmp_path, public=found.root / "model.pub")
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", str(private))
    try:
        found.bootstrap()
        yield found
    finally:
        found.command("serve", "stop")


def registered(project: Project) -> Path:
    """Register another version and go no further; where its signature lies."""
    project.seed += 1
    toy.write_recipe(project.root, kind="good", seed=project.seed)
    for stage in UNTIL_REGISTERED:
        done = project.command(stage)
        assert done.returncode == 0, done.stdout + done.stderr
    ((digest,),) = project.query("SELECT digest FROM versions ORDER BY number DESC LIMIT 1")
    return signature_path(project.root, toy.MODEL, digest)


def kept(project: Project, signature: Path) -> Path:
    """The same signature as the registry keeps it."""
    return project.root / ".gatewright" / "registry" / ATTACHED / toy.MODEL / signature.stem / "model.sig"


@pytest.mark.slow
def test_what_is_signed_is_served_and_what_is_not_is_refused_under_traffic(project: Project) -> None:
    with project.workspace() as workspace:
        first = workspace.registry.serving(toy.MODEL)
    assert first is not None
    server = project.process(cluster_name(first.artifact.digest))
    assert server is not None
    words = psutil.Process(server.pid).cmdline()
    assert words[words.index("--public-key") + 1] == str(project.root / "model.pub")
    with Load(project.port) as load:
        # As on a machine that did not sign it: brought from the registry, and proven there.
        signature = registered(project)
        shutil.rmtree(signature.parent)
        done = project.command("run", "--resume", project.runs()[-1])
        assert done.returncode == 0, done.stdout + done.stderr
        assert signature.is_file()
        check_ended(project, project.runs()[-1], "promoted")

        for spoil, told in ((spoilt, "does not hold"), (removed, "signature of the model is not there")):
            signature = registered(project)
            spoil(project, signature)
            done = project.command("run", "--resume", project.runs()[-1])
            assert done.returncode == 1, done.stdout + done.stderr
            assert told in done.stdout + done.stderr
            check_ended(project, project.runs()[-1], "rolled_back")
            assert short(f"sha256:{signature.stem}") not in load.models()
    assert not load.failures


def spoilt(project: Project, signature: Path) -> None:
    flip(signature)


def removed(project: Project, signature: Path) -> None:
    signature.unlink()
    kept(project, signature).unlink()


@pytest.mark.slow
def test_a_server_that_starts_again_checks_again(project: Project) -> None:
    with project.workspace() as workspace:
        first = workspace.registry.serving(toy.MODEL)
    assert first is not None
    name, signature = (
        cluster_name(first.artifact.digest),
        signature_path(project.root, toy.MODEL, first.artifact.digest),
    )
    content = signature.read_bytes()
    signature.unlink()
    project.kill(name)

    def refusal() -> bool:
        with project.workspace() as workspace:
            row = workspace.processes.get(name)
        return row is not None and "signature of the model is not there" in (row.error or "")

    project.until("the refusal of a model without its signature", refusal)
    signature.write_bytes(content)
    project.until("stable serves again", project.serves, limit_s=60.0)
