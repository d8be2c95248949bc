"""The whole chain on a real MLflow server: what its own client sees, what a kill leaves, and many at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.effects.files import measure_artifact
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.fixtures.elsewhere import copied
from tests.fixtures.live import Project
from tests.fixtures.load import Load
from tests.fixtures.ports import free_port
from tests.fixtures.tracking_server import TrackingServer

pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(600)]

REGISTER = """
import sys
from pathlib import Path
from gatewright.adapters.registries.mlflow.registry import MlflowRegistry, Options
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing.registries import MODEL, registration
from gatewright.workspace import SystemClock

root, address, name, run, times = Path(sys.argv[1]), *sys.argv[2:]
database = Database(root / ".gatewright" / "state.db")
context = Context(root=root, model=MODEL, database=database, clock=SystemClock())
registry = MlflowRegistry(Options(tracking_uri=address, name=name), context)
wanted = registration(root, run=run, times=int(times))
print("ready", flush=True)
sys.stdin.readline()
print(registry.register(wanted).number)
"""


@pytest.fixture
def project(tmp_path: Path, mlflow_server: TrackingServer) -> Iterator[Project]:
    found = Project(root=tmp_path / "project", port=free_port())
    registry = {"kind": "mlflow", "tracking_uri": mlflow_server.address, "name": f"people-{found.port}"}
    toy.write_project(found.root, port=found.port, registry=registry)
    try:
        yield found
    finally:
        found.command("serve", "stop")


@pytest.mark.slow
def test_a_pipeline_s_version_report_aliases_and_lineage_are_seen_by_mlflow_s_own_client(
    project: Project, mlflow_server: TrackingServer
) -> None:
    first = project.command("run", "--bootstrap-by", "tests")
    assert first.returncode == 0, first.stdout + first.stderr
    name = f"people-{project.port}"
    toy.write_recipe(project.root, kind="good", seed=1)
    toy.add_data(project.root, "train-1", toy.people(700))
    with Load(project.port) as load:
        second = project.command("run")
    assert second.returncode == 0, second.stdout + second.stderr
    assert not load.failures
    again = project.command("run", "--if-changed")
    assert (again.returncode, "nothing changed" in again.stdout) == (0, True)
    found = mlflow_server.lineage(name)
    assert found["aliases"] == {"production": 2, "previous": 1}
    assert [each["number"] for each in found["versions"]] == [1, 2]
    newest = found["versions"][1]
    rollout = project.rollout()
    assert newest["tags"]["gatewright.model_digest"] == rollout.canary
    assert newest["tags"]["gatewright.run"] == project.runs()[-1]
    assert newest["tags"]["gatewright.data_digest"].startswith("sha256:")
    assert newest["tags"]["gatewright.report_digest"].startswith("sha256:")
    assert "mlflow.source.git.commit" in newest["tags"]
    assert {Path(path).name for path in newest["model"]} == {"model.skops", "signature.json"}
    assert {"evaluation-report.json", "verdict.json"} <= {Path(path).name for path in newest["evidence"]}
    assert newest["metrics"]["overall_accuracy"] > 0.7
    assert newest["params"]["format"] == "skops"
    assert newest["status"] == "FINISHED"
    assert len(newest["data"]) == 2
    assert {Path(path).name for path in newest["attached"]} == {
        "attestations", "model-card.html", "model-card.md", "sbom.cdx.json",
    }  # fmt: skip
    with_bytes = brought(project, mlflow_server)
    assert with_bytes == rollout.canary
    there = verified_elsewhere(project)
    config = (there / "gatewright.yaml").read_text()
    (there / "gatewright.yaml").write_text(config.replace(f":{mlflow_server.port}", f":{free_port()}"))
    away = command(there, "verify", "2")
    told = " ".join(away.stdout.replace("│", " ").split())
    assert (away.returncode, "could not be looked at: the MLflow server" in told) == (3, True), away.stdout
    assert "BROKEN" not in told


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("gatewright")
    return subprocess.run([str(program), *words], cwd=root, text=True, capture_output=True, timeout=60, check=False)


def verified_elsewhere(project: Project) -> Path:
    """Another machine with the state and the registry proves all that can be proven outside of git."""
    there = copied(project.root, project.root.parent / "verified")
    proof = command(there, "verify", "2")
    assert proof.returncode == 3, proof.stdout + proof.stderr
    assert proof.stdout.splitlines()[-1].endswith("nothing is broken; not proven here: code"), proof.stdout
    return there


def brought(project: Project, server: TrackingServer) -> str:
    """The digest of what production serves as another machine gets it: the same files without any state."""
    with project.workspace() as here:
        config = (here.root / "gatewright.yaml").read_text()
    there = project.root.parent / "there"
    there.mkdir()
    (there / "gatewright.yaml").write_text(config)
    workspace = Workspace.open(there)
    try:
        version = workspace.registry.serving(toy.MODEL)
        assert version is not None
        workspace.registry.bring(version.artifact)  # type: ignore[attr-defined]
        return measure_artifact(there / version.artifact.uri).digest
    finally:
        workspace.database.close()


def start(
    root: Path, server: TrackingServer, name: str, run: str, *, times: int = 1000, **environment: str
) -> subprocess.Popen[str]:
    """A process that registers when it is told to go on."""
    root.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", REGISTER, str(root), server.address, name, run, str(times)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def test_processes_that_register_one_model_at_once_give_one_version(
    mlflow_server: TrackingServer, tmp_path: Path
) -> None:
    name = f"at-once-{free_port()}"
    started = [start(tmp_path / f"m{number}", mlflow_server, name, f"r{number}") for number in range(3)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = [process.communicate("go\n", timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], outputs
    (number,) = mlflow_server.versions_of(name)
    assert {out.strip() for out, _ in outputs} == {str(number)}


@pytest.mark.parametrize("killed_at", ["before-http:mlflow-upload@2", "after-http:mlflow-upload@1"])
def test_a_client_that_is_killed_while_it_uploads_goes_on_to_one_version(
    mlflow_server: TrackingServer, tmp_path: Path, killed_at: str
) -> None:
    name = f"killed-{free_port()}"
    armed = {"GATEWRIGHT_TESTING": "1", "GATEWRIGHT_FAILPOINTS": killed_at}
    first = start(tmp_path / "m", mlflow_server, name, "r1", **armed)
    _, error = first.communicate("go\n", timeout=120)
    assert first.returncode == -signal.SIGKILL, error
    second = start(tmp_path / "m", mlflow_server, name, "r1")
    out, error = second.communicate("go\n", timeout=120)
    assert second.returncode == 0, error
    (number,) = mlflow_server.versions_of(name)
    assert out.split() == ["ready", str(number)]


@pytest.mark.slow
def test_a_server_that_is_killed_in_the_middle_of_a_file_and_started_again_has_one_version(
    mlflow_server: TrackingServer, tmp_path: Path
) -> None:
    name, root, times = f"server-killed-{free_port()}", tmp_path / "m", 20_000_000
    stop_at = {"GATEWRIGHT_TESTING": "1", "GATEWRIGHT_FAILPOINTS": "before-http:mlflow-upload@2=stop"}
    client = start(root, mlflow_server, name, "r1", times=times, **stop_at)
    assert client.stdin is not None
    client.stdin.write("go\n")
    client.stdin.flush()
    mlflow_server.kill_while_it_gets_a_file_of(client)
    _, error = client.communicate(timeout=120)
    assert client.returncode != 0
    assert "cannot be reached" in error
    mlflow_server.start()
    assert mlflow_server.versions_of(name) == []
    again = start(root, mlflow_server, name, "r1", times=times)
    out, error = again.communicate("go\n", timeout=240)
    assert again.returncode == 0, error
    (number,) = mlflow_server.versions_of(name)
    assert out.split() == ["ready", str(number)]
    sizes = [path.stat().st_size for path in mlflow_server.folder.rglob("weights.bin")]
    assert 3 * times in sizes


TRAINING = """
import json
import sys
from pathlib import Path

import mlflow.sklearn
import polars as pl
from sklearn.linear_model import LogisticRegression

rows, output = pl.read_parquet(sys.argv[1]), Path(sys.argv[2])
names = ["AGE", "SEX", "REGION"]
model = LogisticRegression().fit(rows.select(names).to_numpy().astype(float), rows["employed"].to_numpy())
mlflow.sklearn.save_model(model, output / "saved", pip_requirements=[])
for path in (output / "saved").iterdir():
    path.rename(output / path.name)
(output / "saved").rmdir()
signature = {
    "format": "mlflow",
    "task": "binary",
    "inputs": [{"name": name, "datatype": "FP64"} for name in names],
    "outputs": [{"name": "employed", "datatype": "INT64"}],
    "classes": [0, 1],
    "example": {"AGE": 40, "SEX": 1, "REGION": 2},
}
(output / "signature.json").write_text(json.dumps(signature))
"""
PREDICT = """
import mlflow.pyfunc
import numpy as np
model = mlflow.pyfunc.load_model(f"models:/{words[0]}@production")
found = np.asarray(model.predict(np.array([[10.0, 1.0, 2.0], [50.0, 2.0, 3.0]]))).tolist()
"""


@pytest.mark.slow
def test_a_folder_of_mlflow_is_trained_evaluated_served_and_loaded_again_by_mlflow(
    project: Project, mlflow_server: TrackingServer
) -> None:
    (project.root / "training" / "train.py").write_text(TRAINING.lstrip())
    name = f"people-{project.port}"
    registry = {"kind": "mlflow", "tracking_uri": mlflow_server.address, "name": name}
    train = {"format": "mlflow", "timeout": "300s"}
    toy.configure(project.root, port=project.port, registry=registry, train=train)
    run = project.start("run", "--bootstrap-by", "tests")
    out, err = run.communicate(timeout=300)  # importing mlflow takes 2 s of CPU, in each process that does
    assert run.returncode == 0, out + err
    people = ({"AGE": 10, "SEX": 1, "REGION": 2}, {"AGE": 50, "SEX": 2, "REGION": 3})
    answers = {row["AGE"]: answered(project.port, row) for row in people}
    assert answers == {10: 0, 50: 1}
    assert mlflow_server.seen_by_mlflow(PREDICT, name) == [0, 1]


def answered(port: int, row: dict[str, int]) -> int:
    body = json.dumps({"instances": [row]}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: int = json.loads(answer.read())["predictions"][0]
    return found
