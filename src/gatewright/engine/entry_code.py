"""The team's own code that loads a model: found in the workspace, and copied into the model, which then carries it.

Only so do digest, registry, quarantine and rollback speak of what really answers: the bytes of the weights alone do
not. Nothing here imports that code; a source is read to see whether it has the function.
"""

from __future__ import annotations

import ast
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gatewright.config.entry import CODE_FOLDER, ENTRY_FILE, Entry, entry_document, parse_entry
from gatewright.domain.errors import DigestChanged, Place, StageFailed, UnusableInput
from gatewright.domain.project import TrainSection
from gatewright.effects.files import digest_listing, list_files, safe_join, write_atomic

_LARGEST = 16 << 20
_NOT_CODE = "__pycache__"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCode:
    """The files of an entry, by name below the workspace, and the digest over them."""

    entry: Entry
    names: tuple[str, ...]
    digest: str


def entry_code(root: Path, section: TrainSection) -> EntryCode | None:
    """The code that the models of this project carry, as it is now; None when their format needs none.

    UnusableInput for a module or function that is not there, and for links, dot files and files too large.
    """
    entry = parse_entry(section.entry or "") if section.format == "entry" else None
    if entry is None:
        return None
    listed = section.entry_code or ((entry.top,) if (root / entry.top).is_dir() else (f"{entry.top}.py",))
    names = sorted({found for name in listed for found in _names(root, name.rstrip("/"))})
    module = next((name for name in entry.files if name in names), None)
    if module is None:
        raise UnusableInput(
            f"train.entry: the workspace has no {entry.files[0]} among {', '.join(listed)}",
            fix="name the module as it is imported from the workspace's root, or list its file in train.entry_code",
        )
    _check_function(root / module, entry)
    return EntryCode(entry=entry, names=tuple(names), digest=digest_listing(list_files(root, names)))


def carry_code(root: Path, code: EntryCode, model: Path) -> None:
    """Copy the code into the folder of a model, and say there which function loads it.

    StageFailed when the model has files of these names already; DigestChanged when the code is another by now.
    """
    if taken := [name for name in (CODE_FOLDER, ENTRY_FILE) if os.path.lexists(model / name)]:
        raise StageFailed(
            f"the training command left {taken[0]} in {model}, where the code that loads the model is copied to",
            fix="have it save under another name",
            final=False,
        )
    for name in code.names:
        target = model / CODE_FOLDER / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_checked(root, name), target)
    found = carried_digest(model)
    if found != code.digest:
        raise DigestChanged("the code of train.entry, while training ran", recorded=code.digest, found=found)
    write_atomic(model / ENTRY_FILE, entry_document(code.entry))


def carried_digest(model: Path) -> str:
    """The digest over the code that a model carries."""
    return digest_listing(list_files(model / CODE_FOLDER))


def carried_files(model: Path) -> Mapping[str, str]:
    """The files of code that a model carries: their name below the workspace → `sha256:…`; empty for other formats."""
    folder = model / CODE_FOLDER
    if not (model / ENTRY_FILE).is_file() or not folder.is_dir():
        return {}
    return {file.path: f"sha256:{file.sha256}" for file in list_files(folder)}


def _names(root: Path, name: str) -> Iterator[str]:
    """The file `name`, or every Python file of the folder `name`."""
    path = safe_join(root, name)
    if not path.is_dir():
        yield name
        _checked(root, name)
        return
    for here, folders, files in os.walk(path):
        folders[:] = sorted(folder for folder in folders if folder != _NOT_CODE)
        below = Path(here).relative_to(root)
        for each in (*folders, *(file for file in files if file.endswith(".py"))):
            found = (below / each).as_posix()
            _checked(root, found)
            if each not in folders:
                yield found


def _checked(root: Path, name: str) -> Path:
    """`root / name`, which is neither a link nor hidden nor too large."""
    path = safe_join(root, name)
    called = f"{name}, code that train.entry takes along,"
    parents = [root.joinpath(*path.relative_to(root).parts[:depth]) for depth in range(1, len(Path(name).parts) + 1)]
    if linked := next((each for each in parents if each.is_symlink()), None):
        raise UnusableInput(
            f"{called} is a link, or below one: {linked.relative_to(root)}", fix="replace the link by the file itself"
        )
    if any(part.startswith(".") for part in Path(name).parts):
        raise UnusableInput(f"{called} is hidden", fix="rename it, or list what the model needs in train.entry_code")
    if not path.exists():
        raise UnusableInput(f"{called} does not exist", fix="mend train.entry, or train.entry_code")
    if not path.is_dir() and not path.is_file():
        raise UnusableInput(f"{called} is no file", fix="list files and folders only")
    if path.is_file() and path.stat().st_size > _LARGEST:
        fix = "leave weights to the training command, which saves them into {output.dir}"
        raise UnusableInput(f"{called} is {path.stat().st_size:,} bytes large, at most {_LARGEST:,} are taken", fix=fix)
    return path


def _check_function(path: Path, entry: Entry) -> None:
    """UnusableInput when nothing in the source gives the function's name a meaning."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError) as error:
        where = Place(file=str(path), line=getattr(error, "lineno", None), column=getattr(error, "offset", None))
        raise UnusableInput(f"train.entry: no Python: {error}", fix="mend the file", where=where) from error
    if not {entry.function, "*"} & set(_named(tree)):
        raise UnusableInput(
            f"train.entry: {path.name} has no function {entry.function}",
            fix=f"define it: def {entry.function}(folder), which returns the model that was saved there",
            where=Place(file=str(path)),
        )


def _named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name for alias in aliases)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
