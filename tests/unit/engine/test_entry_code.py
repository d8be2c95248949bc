"""The code that a model carries: which files, what is refused by name, and that nothing of it is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gatewright.config.entry import read_entry
from gatewright.domain.errors import DigestChanged, StageFailed, UnusableInput
from gatewright.domain.project import TrainSection
from gatewright.engine.entry_code import EntryCode, carried_digest, carried_files, carry_code, entry_code
from gatewright.engine.left_model import check_model


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace whose training package has a module that must never be imported by us."""
    package = tmp_path / "training"
    (package / "deep").mkdir(parents=True)
    (package / "model.py").write_text("raise SystemExit('imported')\n\n\ndef load(folder):\n    return 1\n")
    (package / "deep" / "steps.py").write_text("x = 1\n")
    (package / "data.parquet").write_bytes(b"rows")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "model.py").write_text("x = 2\n")
    (tmp_path / "features.py").write_text("y = 1\n")
    (tmp_path / "words.json").write_text("[]")
    (tmp_path / "out").mkdir()
    return tmp_path


def section(entry: str = "training.model:load", *code: str) -> TrainSection:
    return TrainSection(command=("x",), format="entry", entry=entry, entry_code=code, allow_code=True)


def found(root: Path, chosen: TrainSection) -> EntryCode:
    code = entry_code(root, chosen)
    assert code is not None
    return code


def test_the_first_package_of_the_module_is_carried_its_python_files_only(root: Path) -> None:
    code = found(root, section())
    assert code.names == ("training/deep/steps.py", "training/model.py")
    carry_code(root, code, root / "out")
    assert str(read_entry(root / "out")) == "training.model:load"
    assert carried_digest(root / "out") == code.digest
    assert set(carried_files(root / "out")) == set(code.names)
    assert sorted(path.name for path in (root / "out").iterdir()) == ["code", "entry.json"]


def test_a_module_of_one_file_is_carried_alone_and_what_is_listed_instead_as_it_is(root: Path) -> None:
    assert found(root, section("features:y")).names == ("features.py",)
    listed = section("training.model:load", "training/model.py", "features.py", "words.json")
    assert found(root, listed).names == ("features.py", "training/model.py", "words.json")
    assert entry_code(root, TrainSection(command=("x",))) is None
    assert carried_files(root / "training") == {}


def test_other_code_has_another_digest(root: Path) -> None:
    before = found(root, section())
    (root / "training" / "deep" / "steps.py").write_text("x = 2\n")
    assert found(root, section()).digest != before.digest
    with pytest.raises(DigestChanged, match=r"the code of train\.entry, while training ran"):
        carry_code(root, before, root / "out")


@pytest.mark.parametrize("taken", ["code", "entry.json"])
def test_a_model_that_has_a_file_of_that_name_is_refused(root: Path, taken: str) -> None:
    (root / "out" / taken).symlink_to("nowhere")
    with pytest.raises(StageFailed, match=f"left {taken} in"):
        carry_code(root, found(root, section()), root / "out")


@pytest.mark.parametrize(
    ("entry", "listed", "told"),
    [
        ("gone.model:load", (), "gone.py, code that train.entry takes along, does not exist"),
        ("training.gone:load", (), "the workspace has no training/gone.py among training"),
        ("training.model:lod", (), "model.py has no function lod"),
        ("training.broken:load", (), "no Python"),
        ("training.model:load", ("training", "gone.py"), "gone.py, code that train.entry takes along, does not exist"),
        ("training.model:load", ("training", "pipe"), "pipe, code that train.entry takes along, is no file"),
        ("training.model:load", ("training", "large.bin"), "16,777,217 bytes large"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(root: Path, entry: str, listed: tuple[str, ...], told: str) -> None:
    os.mkfifo(root / "pipe")
    (root / "training" / "broken.py").write_text("def load(\n")
    with (root / "large.bin").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(UnusableInput, match=told):
        entry_code(root, section(entry, *listed))


@pytest.mark.parametrize(
    ("name", "is_link", "told"),
    [
        ("linked.py", True, "training/linked.py, .* is a link"),
        ("linked", True, "training/linked, .* is a link"),
        (".hidden.py", False, "training/.hidden.py, .* is hidden"),
    ],
)
def test_links_and_dot_files_are_refused_by_name(root: Path, name: str, is_link: bool, told: str) -> None:
    path = root / "training" / name
    path.symlink_to(root / "training" / "deep") if is_link else path.write_text("x = 1\n")
    with pytest.raises(UnusableInput, match=told):
        entry_code(root, section())


def test_the_training_has_to_say_the_format_in_the_signature(root: Path) -> None:
    with pytest.raises(StageFailed, match=r"no signature\.json"):
        check_model(root / "out", section())
    for text, says in (("[", "no JSON"), ('{"format": "skops"}', "says format 'skops', and train.format is entry")):
        (root / "out" / "signature.json").write_text(text)
        with pytest.raises(StageFailed, match=says):
            check_model(root / "out", section())
    (root / "out" / "signature.json").write_text('{"format": "entry"}')
    check_model(root / "out", section())
