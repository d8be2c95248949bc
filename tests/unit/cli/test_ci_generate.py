"""`gatewright ci generate`: files written, compared, and never taken from somebody else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.conftest import CONFIG, Shell
from tests.unit.cli.snapshots import assert_snapshot

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "employment" / "gatewright.yaml"
FILES = {
    "github": [".github/workflows/gatewright.yml", ".github/workflows/gatewright-tick.yml"],
    "gitlab": [".gitlab-ci.yml"],
    "jenkins": ["Jenkinsfile"],
}


@pytest.mark.parametrize("target", FILES)
@pytest.mark.parametrize("form", ["own", "reusable"])
def test_files_of_the_example_are_as_they_were_reviewed(shell: Shell, empty: Path, target: str, form: str) -> None:
    (empty / "gatewright.yaml").write_bytes(EXAMPLE.read_bytes())
    told = shell("ci", "generate", "--target", target, "--form", form, "--output", "json")
    assert told.code == 0
    for name, text in json.loads(told.out)["files"].items():
        assert (empty / name).read_text(encoding="utf-8") == text
        assert_snapshot(f"ci/{target}-{form}/{Path(name).name}", text)


@pytest.mark.parametrize("target", FILES)
def test_check_passes_what_was_written_and_shows_what_was_edited(shell: Shell, workspace: Path, target: str) -> None:
    told = shell("ci", "generate", "--target", target)
    assert told.code == 0
    wrote = [line for line in told.out.splitlines() if line.startswith("wrote  ")]
    assert wrote == [f"wrote  {name}" for name in FILES[target]]
    assert shell("ci", "generate", "--target", target, "--check").code == 0
    edited = workspace / FILES[target][0]
    edited.write_text(
        edited.read_text(encoding="utf-8").replace("gatewright train --run", "gatewright trian --run"), encoding="utf-8"
    )
    told = shell("ci", "generate", "--target", target, "--check")
    assert told.code == 1
    added = [line for line in told.out.splitlines() if line.startswith(("+", "-")) and "train" in line]
    taken = [line for line in told.out.splitlines() if line.startswith(("+", "-")) and "trian" in line]
    assert [line[0] for line in (*taken, *added)] == ["-", "+"]
    assert f"do: gatewright ci generate --target {target}" in told.err
    assert "trian" in edited.read_text(encoding="utf-8")
    assert shell("ci", "generate", "--target", target).out.startswith("wrote  ")
    assert "trian" not in edited.read_text(encoding="utf-8")


def test_check_of_a_file_that_is_not_there_fails_and_writes_nothing(shell: Shell, workspace: Path) -> None:
    assert shell("ci", "generate", "--target", "jenkins", "--check").code == 1
    told = shell("ci", "generate", "--target", "jenkins", "--diff")
    assert told.code == 0
    assert "+pipeline {" in told.out
    assert not (workspace / "Jenkinsfile").exists()


def test_a_file_of_somebody_else_stays_unless_forced(shell: Shell, workspace: Path) -> None:
    own = workspace / ".gitlab-ci.yml"
    own.write_text("test: {script: [make]}\n", encoding="utf-8")
    told = shell("ci", "generate", "--target", "gitlab")
    assert told.code == 2
    assert "--form reusable" in told.err
    assert own.read_text(encoding="utf-8") == "test: {script: [make]}\n"
    told = shell("ci", "generate", "--target", "gitlab", "--form", "reusable")
    assert told.code == 0
    assert "local: .gitlab/gatewright.yml" in told.out
    assert shell("ci", "generate", "--target", "gitlab", "--force").code == 0
    assert "gatewright validate" in own.read_text(encoding="utf-8")


def test_below_the_root_of_a_repository_the_file_is_at_its_root(shell: Shell, empty: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=empty, check=True)
    folder = empty / "services" / "toy"
    folder.mkdir(parents=True)
    (folder / "gatewright.yaml").write_text(CONFIG, encoding="utf-8")
    assert shell("ci", "generate", "--target", "github", "-C", str(folder)).code == 0
    text = (empty / FILES["github"][0]).read_text(encoding="utf-8")
    assert "working-directory: services/toy" in text
    assert "- services/toy/data/versions/**" in text


def test_of_several_models_one_is_named_and_has_its_own_file(shell: Shell, empty: Path) -> None:
    shared = CONFIG.partition("\n")[2].replace("data: {", "    data: {").splitlines()
    models = "".join(f"  {name}:\n" + "\n".join(f"    {line.strip()}" for line in shared) + "\n" for name in ("a", "b"))
    serving = models.replace("  b:\n", "  b:\n    serving: {kind: envoy, port: 8090}\n")
    (empty / "gatewright.yaml").write_text(f"models:\n{serving}", encoding="utf-8")
    told = shell("ci", "generate", "--target", "github")
    assert told.code == 2
    assert "--model" in told.err
    assert shell("ci", "generate", "--target", "github", "--model", "b").code == 0
    assert "default: b\n" in (empty / ".github/workflows/gatewright-b.yml").read_text(encoding="utf-8")


def test_jobs_to_wait_for_are_told_with_the_call(shell: Shell, empty: Path) -> None:
    (empty / "gatewright.yaml").write_text(CONFIG + "ci: {after: [build]}\n", encoding="utf-8")
    told = shell("ci", "generate", "--target", "github")
    assert "needs: [build]" in told.out
    assert "uses: ./.github/workflows/gatewright-stages.yml" in told.out


def test_a_tick_that_is_rarer_than_the_lease_is_told(shell: Shell, empty: Path) -> None:
    (empty / "gatewright.yaml").write_text(CONFIG + "rollout: {lease: 5m}\n", encoding="utf-8")
    assert "rollout.lease" in shell("ci", "generate", "--target", "github").out
    (empty / "gatewright.yaml").write_text(CONFIG + "rollout: {lease: 40m}\n", encoding="utf-8")
    assert "lease" not in shell("ci", "generate", "--target", "github").out


def test_our_own_workflow_is_what_gatewright_yaml_says(shell: Shell) -> None:
    assert shell("ci", "generate", "--target", "github", "--check", "-C", str(ROOT)).code == 0
