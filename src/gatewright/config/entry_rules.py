"""What `train.format: entry` needs: a function by its module, code below the workspace, and consent to run it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path as File

from gatewright.config.entry import Entry, parse_entry
from gatewright.config.problems import Path, shown
from gatewright.config.values import Finding, Values

_FORMAT, _ENTRY, _CODE = ("train", "format"), ("train", "entry"), ("train", "entry_code")
_FORMATS = ("skops", "onnx", "mlflow", "entry")
_ALLOW: Path = ("train", "allow_code")
_NOT_OURS = frozenset(sys.stdlib_module_names) | {"gatewright"}


def carried(values: Values, root: File) -> Iterator[Finding]:
    """Findings about `train.entry` and all that belongs to it."""
    chosen = values.at(_FORMAT)
    if chosen not in (None, *_FORMATS):
        return
    if chosen != "entry":
        for path in (_ENTRY, _CODE):
            if values.at(path) not in (None, []):
                yield (
                    path,
                    f"belongs to format: entry, and the format is {chosen or 'skops'}: change one",
                )
        return
    if values.at(_ALLOW) is not True:
        yield _ALLOW, "format: entry runs code that the model brings, in model servers and evaluations: write true"
    text = values.at(_ENTRY)
    if text is None:
        yield _FORMAT, "entry needs the function that loads a model: write entry: training.model:load"
    if not isinstance(text, str) or not text:
        return
    found = parse_entry(text)
    if found is None:
        yield _ENTRY, f"{shown(text)} names no function: write module:function, as training.model:load"
    elif found.top in _NOT_OURS:
        yield _ENTRY, f"{shown(text)} lies in {found.top}, which is not the team's code: name a module of the workspace"
    elif not _inside(found, root):
        yield _ENTRY, f"{shown(text)} leads out of the workspace by a link: keep the code inside"
    else:
        yield from _listed(values, found)


def _inside(found: Entry, root: File) -> bool:
    try:
        return all((root / name).resolve().is_relative_to(root.resolve()) for name in found.files)
    except (OSError, RuntimeError):
        return False


def _listed(values: Values, found: Entry) -> Iterator[Finding]:
    listed = [text.rstrip("/") for text in values.entries(_CODE) if isinstance(text, str)]
    for index, text in enumerate(listed):
        if any(part.startswith(".") for part in File(text).parts):
            yield (*_CODE, index), f"{shown(text)} is hidden: what a model needs has no name with a dot in front"
    if listed and not any(name == text or name.startswith(f"{text}/") for text in listed for name in found.files):
        yield _CODE, f"does not hold {found.module}, which train.entry names: list {found.files[0]}, or its folder"
