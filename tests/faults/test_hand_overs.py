"""The seven hand-overs, data → train → model → evaluate → report → register → serve: each refuses a changed byte."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gatewright.cli.main import gatewright
from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.engine.pipeline import run_stage, stage_named
from gatewright.engine.signing import server_options
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures.deployed import chain_of, flip, run_of

pytestmark = [pytest.mark.xdist_group("deployed"), pytest.mark.timeout(300)]


def stage_refuses(name: str) -> Callable[[Path], str]:
    def refused(root: Path) -> str:
        workspace = Workspace.open(root)
        with pytest.raises(UnusableInput) as caught:
            run_stage(workspace, run_of(root), stage_named(name), Silent())
        return str(caught.value)

    return refused


def server_refuses(root: Path, *more: str) -> str:
    version: Any = Workspace.open(root).registry.serving("toy")
    words = ["--artifact", str(root / version.artifact.uri), "--model", "toy", "--digest", version.artifact.digest]
    words += more
    argv = [sys.executable, "-m", "gatewright.serving.server", *words]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        said = server.stdout.readline()  # while its standard input is held open
        assert server.wait(timeout=60) == DigestChanged.exit_code
    return str(json.loads(said)["error"])


HAND_OVERS: dict[str, tuple[str, Callable[[Path], str], str]] = {
    "data": ("data/train/train-0.parquet", stage_refuses("train"), "train-0.parquet of people-train"),
    "train": ("{run}/candidate.json", stage_refuses("evaluate"), "candidate.json"),
    "model": ("{run}/model/model.skops", stage_refuses("evaluate"), "the model in"),
    "evaluate": ("{run}/predictions/predictions.parquet", stage_refuses("gate"), "predictions.parquet"),
    "report": ("{run}/evaluation-report.json", stage_refuses("register"), "evaluation-report.json"),
    "register": ("{run}/version.json", stage_refuses("canary"), "version.json"),
    "serve": ("{registry}/model.skops", server_refuses, "the artifact"),
}


@pytest.mark.parametrize("name", HAND_OVERS)
def test_one_byte_changed_at_a_hand_over_is_refused_by_name(
    deployed: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewright.engine.stages.canary.ensure_supervisor", lambda *_: None)
    file, refuses, told = HAND_OVERS[name]
    version: Any = Workspace.open(deployed).registry.serving("toy")
    path = deployed / file.format(run=run_of(deployed).path, registry=version.artifact.uri)
    flip(path)
    shutil.rmtree(run_of(deployed).path / "data")  # what is laid out there is proven already, and is what is read
    assert told in refuses(deployed)


def test_a_planted_dotfile_in_a_signed_model_is_refused(deployed: Path) -> None:
    workspace = Workspace.open(deployed)
    version: Any = workspace.registry.serving("toy")
    options = server_options(workspace, version.artifact.digest)
    assert [option for option in options if option.startswith("--")] == ["--signature", "--public-key"]
    good = CliRunner().invoke(gatewright, ["sign", "2", "--check", "-C", str(deployed)])
    assert (good.exit_code, "the signature holds" in good.output) == (0, True)
    for name in (".evil.py", ".git/evil.py"):
        planted = deployed / version.artifact.uri / name
        planted.parent.mkdir(exist_ok=True)
        planted.write_text("import os\n")
        told = CliRunner().invoke(gatewright, ["sign", "2", "--check", "-C", str(deployed)])
        assert isinstance(told.exception, UnusableInput)
        assert name in str(told.exception)
        if name == ".evil.py":
            planted.unlink()
    assert ".git/evil.py" in server_refuses(deployed, *options)
    broken = chain_of(deployed).first_broken
    assert broken is not None
    assert broken.name == "registration"
