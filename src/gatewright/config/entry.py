"""`entry.json`: which function of the code that a model brings along loads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gatewright.domain.documents import pretty_json, read_json
from gatewright.domain.errors import Place, UnusableInput
from gatewright.effects.files import read_bytes

ENTRY_FILE, CODE_FOLDER = "entry.json", "code"
_FORM = "gatewright/entry/1"
_LIMIT = 1 << 16
_WORDS = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`module:function`, by the names that Python has for them."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"

    @property
    def top(self) -> str:
        """The first package of the module, or the module itself."""
        return self.module.partition(".")[0]

    @property
    def files(self) -> tuple[str, str]:
        """Where the module may lie: as a file, or as a package."""
        path = self.module.replace(".", "/")
        return f"{path}.py", f"{path}/__init__.py"


def parse_entry(text: str) -> Entry | None:
    """The entry that `text` names; None when it names none."""
    found = _WORDS.fullmatch(text)
    return Entry(module=found["module"], function=found["function"]) if found else None


def entry_document(entry: Entry) -> bytes:
    """What `entry.json` holds."""
    return pretty_json({"form": _FORM, "entry": str(entry)})


def read_entry(folder: Path) -> Entry:
    """The entry of the model in `folder`; UnusableInput when it tells none."""
    path = folder / ENTRY_FILE
    try:
        document = read_json(read_bytes(path, _LIMIT))
    except (ValueError, RecursionError) as error:
        raise _unusable(path, "is no JSON") from error
    if document.keys() != {"form", "entry"} or document["form"] != _FORM:
        raise _unusable(path, f"is not of the form {_FORM}")
    found = parse_entry(document["entry"]) if isinstance(document["entry"], str) else None
    if found is None:
        raise _unusable(path, f"names {document['entry']!r}, which is no module:function")
    return found


def _unusable(path: Path, what: str) -> UnusableInput:
    return UnusableInput(
        f"{path.name} {what}", fix="gatewright train writes it: train the model again", where=Place(file=str(path))
    )
