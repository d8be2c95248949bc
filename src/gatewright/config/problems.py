"""How problems are told: all at once, in the order of the file, with what was found and the nearest word."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from gatewright.domain.errors import Place, Problem, WithProblems

MOST_TOLD = 30
_WIDTH = 60
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*(?=@)")
_SECRET = re.compile(r"token|password|secret", re.IGNORECASE)

Path = tuple[str | int, ...]


def failure(error: type[WithProblems], what: str, problems: Iterable[Problem], *, fix: str = "") -> WithProblems:
    """One error that tells all `problems` in the order of the file; `what` names what was read."""
    ordered = sorted(problems, key=lambda problem: (problem.where.line or 0, problem.where.column or 0))
    count = len(ordered)
    told = ordered[:MOST_TOLD]
    if count > MOST_TOLD:
        where = Place(file=told[0].where.file)
        told.append(Problem(where=where, field="", what=f"and {count - MOST_TOLD} more problems"))
    return error(f"{what} has {'1 problem' if count == 1 else f'{count} problems'}", tuple(told), fix=fix)


def dotted(path: Path) -> str:
    """`evaluation.slices[2].bins`, as people write a path."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f"{'.' if text else ''}{part if part.isprintable() else repr(part)}"
    return text if len(text) <= 2 * _WIDTH else text[: 2 * _WIDTH] + "…"


def shown(value: Any) -> str:
    """`value` as it is quoted in a message: short, without characters that a terminal would obey, or a password."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        told = _CREDENTIALS.sub("…", value)
        text = repr(told if len(told) <= _WIDTH else told[:_WIDTH] + "…")
    elif isinstance(value, dict):
        text = "a mapping" if value else "an empty mapping"
    elif isinstance(value, list):
        text = "a list" if value else "an empty list"
    else:
        text = json.dumps(value)
    return text


def shown_at(path: Path, value: Any) -> str:
    """The same for what stands at `path`; a text is not repeated where somebody may have written a secret itself."""
    return "this text" if isinstance(value, str) and path and _SECRET.search(str(path[-1])) else shown(value)


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that `word` was probably meant to be."""
    options = list(allowed)
    lowered = {option.lower().replace("-", "_"): option for option in options}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def unknown(word: str, allowed: Sequence[str], near: str | None, *, kind: str = "word") -> str:
    """What is said about a word that is not one of `allowed`; `near` is what it was probably meant to be."""
    guess = f"did you mean {near!r}? " if near else ""
    return f"unknown {kind} {shown(word)}: {guess}allowed: {', '.join(allowed) or 'nothing'}"
