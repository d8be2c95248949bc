"""YAML (and so JSON) to plain values and their positions: one document, no tricks, every problem at once."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from gatewright.config.problems import Path, failure, shown
from gatewright.config.scalars import resolve, unseen
from gatewright.domain.errors import ConfigError, Place, Problem, WithProblems

DEEPEST = 50
MOST_PARTS = 60_000
_MOST_PROBLEMS = 2000
_UNSEEN = "an invisible character ({}): remove it"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_BOMS = (
    (codecs.BOM_UTF8, "starts with a byte-order mark: save it as UTF-8 without one"),
    (codecs.BOM_UTF16_LE, "is UTF-16: save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "is UTF-16: save it as UTF-8"),
)


@dataclass(slots=True)
class Spot:
    """Where a value stands (and its key, if it has one), and where the values inside it stand."""

    line: int
    column: int
    key: tuple[int, int] | None = None
    children: dict[str | int, Spot] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The plain value of a file, and the place of everything in it."""

    value: Any
    file: str
    places: Spot

    def place(self, path: Path) -> Place:
        """Where the value at `path` stands, or the nearest value around it that is known."""
        spot = self._spot(path)
        return Place(file=self.file, line=spot.line, column=spot.column)

    def key_place(self, path: Path) -> Place:
        """Where the key of the value at `path` stands; for an element of a list, the element."""
        spot = self._spot(path)
        line, column = spot.key or (spot.line, spot.column)
        return Place(file=self.file, line=line, column=column)

    def _spot(self, path: Path) -> Spot:
        spot = self.places
        for part in path:
            inner = (spot.children or {}).get(part)
            if inner is None:
                return spot
            spot = inner
        return spot


def parse(
    data: bytes,
    file: str,
    error: type[WithProblems] = ConfigError,
    limit: int = 1 << 20,
    most_parts: int = MOST_PARTS,
) -> Document:
    """The one document in `data`, at most `limit` bytes and `most_parts` keys and values of plain UTF-8 YAML or JSON.

    `error` with every problem: anchors, aliases, merge keys, tags, duplicate keys, keys that are not text, more
    than 50 levels and unseen characters are refused.
    """
    text, problems = _decode(data, file, limit)
    if problems:
        raise failure(error, file, problems)
    builder = _Builder(file, most_parts)
    for event in _events(text, builder):
        if not builder.take(event):
            break
    if not builder.problems and builder.places is None:
        builder.tell(Place(file=file, line=1, column=1), "the file is empty")
    if builder.problems or builder.places is None:
        raise failure(error, file, builder.problems)
    return Document(value=builder.root, file=file, places=builder.places)


def place_of(data: bytes, file: str, path: Path) -> Place:
    """Where the value at `path` stands in a file that another reader has read.

    Where the file itself goes wrong if it cannot be parsed; the file alone if it is too large for a second look.
    """
    try:
        return parse(data, file, most_parts=len(data)).place(path)
    except ConfigError as error:
        return error.problems[0].where


def _decode(data: bytes, file: str, limit: int) -> tuple[str, list[Problem]]:
    def refused(what: str, line: int | None = None, column: int | None = None) -> tuple[str, list[Problem]]:
        return "", [Problem(where=Place(file=file, line=line, column=column), field="", what=what)]

    if len(data) > limit:
        return refused(f"the file is larger than {limit:,} bytes: is it the right file?")
    for mark, what in _BOMS:
        if data.startswith(mark):
            return refused(f"the file {what}", 1, 1)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        before = data[: problem.start].decode("utf-8")
        return refused("the file is not UTF-8 text from here on", *_position(before, len(before)))
    if "\0" in text:
        return refused("the file is not text (it contains a NUL byte)", *_position(text, text.index("\0")))
    return text, _unseen_problems(text, file)


def _unseen_problems(text: str, file: str) -> list[Problem]:
    problems = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if found := unseen(line):
            where = Place(file=file, line=number, column=found[0] + 1)
            problems.append(Problem(where=where, field="", what=_UNSEEN.format(found[1])))
            if len(problems) == _MOST_PROBLEMS:
                break
    return problems


def _position(text: str, index: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - start + 1


def _events(text: str, builder: _Builder) -> Iterator[Any]:
    # JSON writes a character beyond U+FFFF as two escapes, YAML as one.
    loader = _Loader(_PAIR.sub(_one_escape, text) if text.startswith(("{", "[")) else text)
    try:
        while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
            yield event
    except yaml.MarkedYAMLError as problem:
        builder.tell_syntax(problem, text)
    except yaml.YAMLError as problem:
        builder.tell(Place(file=builder.file), f"the file cannot be read: {str(problem).splitlines()[0]}")
    finally:
        loader.dispose()


def _one_escape(pair: re.Match[str]) -> str:
    high, low = int(pair[2], 16), int(pair[3], 16)
    return f"{pair[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _spot(event: Any, children: dict[str | int, Spot] | None = None) -> Spot:
    return Spot(event.start_mark.line + 1, event.start_mark.column + 1, children=children)


@dataclass(slots=True)
class _Frame:
    """A collection that is still open; `key` is the key whose value comes next."""

    value: Any
    spot: Spot
    key: str | None = None
    key_at: tuple[int, int] | None = None
    seen: dict[str, int] = field(default_factory=dict)


class _Builder:
    """Turns events into values without recursion, so that depth costs nothing."""

    def __init__(self, file: str, most_parts: int) -> None:
        self.file = file
        self._most_parts = most_parts
        self._parts = 0
        self.root: Any = None
        self.places: Spot | None = None
        self.problems: list[Problem] = []
        self._open: list[_Frame] = []

    def tell(self, where: Place, what: str) -> None:
        self.problems.append(Problem(where=where, field="", what=what))

    def tell_syntax(self, problem: yaml.MarkedYAMLError, text: str) -> None:
        """YAML stops at its first syntax error; the usual one, a tab in front of a line, has its own words."""
        mark = problem.problem_mark or problem.context_mark
        if mark is None:
            self.tell(Place(file=self.file), f"not YAML: {problem.problem}")
            return
        lines = text.split("\n")
        row, column = mark.line, mark.column
        if row >= len(lines):  # libyaml counts one line more when the last one has no end
            row, column = len(lines) - 1, len(lines[-1])
        line = lines[row]
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent:
            where = Place(file=self.file, line=row + 1, column=indent.index("\t") + 1)
            self.tell(where, "a tab indents this line: YAML is indented by spaces")
            return
        complete = "".join([line[column:], *lines[row + 1 :]]).strip() or "':'" in str(problem.problem)
        what = problem.problem if complete else "the file ends before all that it opens is closed"
        context = f" ({problem.context})" if problem.context else ""
        where = Place(file=self.file, line=row + 1, column=column + 1)
        self.tell(where, f"not {'JSON' if self.file.endswith('.json') else 'YAML'}: {what}{context}")

    def take(self, event: Any) -> bool:
        """Use one event; False when reading on makes no sense."""
        self._parts += 1
        if self._parts > self._most_parts:
            self._refuse(event, f"more than {self._most_parts:,} keys and values: is it the right file?")
            return False
        if len(self.problems) >= _MOST_PROBLEMS:
            return False
        match event:
            case yaml.AliasEvent():
                self._refuse(event, f"the alias *{event.anchor} is not allowed: write the value out")
                self._add("", event, text=f"*{event.anchor}")
            case yaml.ScalarEvent():
                self._check_node(event)
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check_node(event)
                if len(self._open) >= DEEPEST:
                    self._refuse(event, f"nested more than {DEEPEST} levels deep")
                    return False
                value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append(_Frame(value=value, spot=_spot(event, children={})))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = self._open.pop()
                self._place(frame.value, frame.spot, text=None)
            case yaml.DocumentStartEvent() if self.places is not None:
                self._refuse(event, "a second document starts here: one file holds one document")
                return False
        return True

    def _refuse(self, event: Any, what: str) -> None:
        spot = _spot(event)
        self.tell(Place(file=self.file, line=spot.line, column=spot.column), what)

    def _check_node(self, event: Any) -> None:
        if event.anchor is not None:
            self._refuse(event, f"the anchor &{event.anchor} is not allowed: write the value where it is used")
        if event.tag is not None:
            self._refuse(event, f"the tag {shown(event.tag)} is not allowed: write the plain value")

    def _scalar(self, event: Any) -> None:
        plain = event.style in (None, "")
        if found := unseen(event.value):
            self._refuse(event, _UNSEEN.format(found[1]))
        value = resolve(event.value) if plain else event.value
        self._add(value, event, text=event.value)

    def _add(self, value: Any, event: Any, *, text: str) -> None:
        self._place(value, _spot(event), text=text)

    def _place(self, value: Any, spot: Spot, *, text: str | None) -> None:
        """Put a finished value where it belongs; `text` is how a scalar was written."""
        if not self._open:
            self.root, self.places = value, spot
            return
        frame = self._open[-1]
        children = frame.spot.children
        if children is None:
            return
        if isinstance(frame.value, list):
            children[len(frame.value)] = spot
            frame.value.append(value)
        elif frame.key is None:
            self._take_key(frame, value, spot, text)
        else:
            spot.key = frame.key_at
            frame.value[frame.key] = value
            children[frame.key] = spot
            frame.key = None

    def _take_key(self, frame: _Frame, value: Any, spot: Spot, text: str | None) -> None:
        where = Place(file=self.file, line=spot.line, column=spot.column)
        key = text if text is not None else ""
        harmless = isinstance(value, int) and not isinstance(value, bool) and str(value) == text
        if text is None:
            self.tell(where, f"a key must be text, not {shown(value)}")
        elif text == "<<" and isinstance(value, str):
            self.tell(where, "the merge key << is not allowed: write the keys out")
        elif not isinstance(value, str) and not harmless:
            self.tell(where, f"the key {text} is not text: put it in quotes" if text else "the key is missing")
        elif key in frame.seen:
            self.tell(where, f"the key {shown(key)} stands twice: first in line {frame.seen[key]}")
        frame.seen.setdefault(key, spot.line)
        frame.key, frame.key_at = key, (spot.line, spot.column)
