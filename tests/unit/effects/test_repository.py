from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.effects.repository import look
from tests.fixtures.scratch import git, write_repository


def test_code_and_settings_are_read_and_data_is_only_measured(tmp_path: Path) -> None:
    files = {"train.py": "x = 1", ".env": "A=1", "data/a.csv": "a,b\n1,2\n", "notes/readme.txt": "hello"}
    write_repository(tmp_path / "shop", files, remote="git@github.com:acme/shop.git")
    found = look(tmp_path / "shop")
    assert (found.name, found.is_git, found.branch) == ("shop", True, "main")
    assert found.remote == "git@github.com:acme/shop.git"
    assert set(found.files) == set(files)
    assert found.files["data/a.csv"] == 8
    assert set(found.texts) == {"train.py", ".env", "notes/readme.txt"}
    assert not found.truncated


def test_environments_caches_and_links_are_left_out(tmp_path: Path) -> None:
    for name in (".venv/a.py", "__pycache__/b.py", "node_modules/c.py", "own/pyvenv.cfg", "own/d.py", "kept/e.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "again").symlink_to(tmp_path / "kept")
    (tmp_path / "kept" / "outside.txt").symlink_to("/etc/hostname")
    assert set(look(tmp_path).files) == {"kept/e.py"}


def test_no_repository_and_no_commit_are_fine(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert (found.is_git, found.remote, found.branch, found.files) == (False, None, None, {})
    git(tmp_path, "init", "-q", "-b", "trunk")
    assert (look(tmp_path).is_git, look(tmp_path).branch) == (True, "trunk")


def test_the_pipelines_of_the_whole_checkout_are_seen_from_below(tmp_path: Path) -> None:
    write_repository(tmp_path, {".github/workflows/a.yml": "", "Jenkinsfile": "", "models/shop/train.py": ""})
    assert look(tmp_path / "models" / "shop").ci_files == (".github/workflows/a.yml", "Jenkinsfile")


def test_a_look_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (tmp_path / f"{number}.py").write_text("x" * 60)
    monkeypatch.setattr("gatewright.effects.repository._MOST_FILES", 3)
    monkeypatch.setattr("gatewright.effects.repository._TEXTS_LIMIT", 100)
    found = look(tmp_path)
    assert (len(found.files), len(found.texts), found.truncated) == (3, 1, True)
