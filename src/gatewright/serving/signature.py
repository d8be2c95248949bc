"""`signature.json`: what a model takes, what it answers, and one example row."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from gatewright.config.nodes import place_of
from gatewright.domain.errors import Place, UnusableInput

FORMATS = ("skops", "onnx", "mlflow", "entry")
TASKS = ("binary", "multiclass", "regression")
INPUT_TYPES = ("FP64", "FP32", "INT64", "INT32")
OUTPUT_TYPES = ("INT64", "FP64")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_KEYS = ("format", "task", "inputs", "outputs", "classes", "example")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One input or output: its name and its datatype in the words of the Open Inference Protocol."""

    name: str
    datatype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """`inputs` is the order of the model's columns; `classes` is None for regression.

    `example` holds one value per input, NaN where it is missing.
    """

    task: str
    inputs: tuple[Column, ...]
    output: Column
    classes: tuple[int, ...] | None
    example: tuple[float, ...]
    format: str = "skops"

    @property
    def model_file(self) -> str:
        """The name of the file that holds the model, or says what does."""
        return {"mlflow": "MLmodel", "entry": "entry.json"}.get(self.format, f"model.{self.format}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.inputs)


def parse_signature(data: bytes, file: str) -> Signature:
    """Read the bytes of a signature file; UnusableInput names the first field that is wrong, and what is allowed."""
    return _Reader(file).read(data)


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._data = b""

    def read(self, data: bytes) -> Signature:
        self._data = data
        words = self._document(data)
        kind = self._one_of(words, "format", FORMATS)
        task = self._one_of(words, "task", TASKS)
        inputs = self._columns(words, "inputs", INPUT_TYPES)
        outputs = self._columns(words, "outputs", OUTPUT_TYPES)
        if len(outputs) != 1:
            self._refuse("outputs", f"{len(outputs)} outputs", "exactly one")
        return Signature(
            task=task,
            inputs=inputs,
            output=outputs[0],
            classes=self._classes(words, task),
            example=self._example(words, inputs),
            format=kind,
        )

    def _document(self, data: bytes) -> Mapping[str, Any]:
        try:
            words = json.loads(data, object_pairs_hook=self._unique)
        except json.JSONDecodeError as error:
            where = Place(file=self._file, line=error.lineno, column=error.colno)
            self._refuse("", f"what is not JSON: {error.msg}", "a JSON object", where=where)
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else "not UTF-8 text"
            self._refuse("", f"what is {why}", "a JSON object")
        if not isinstance(words, dict):
            self._refuse("", f"a {type(words).__name__}", "a JSON object")
        for key in words:
            if key not in _KEYS:
                self._refuse(key, "unknown field", ", ".join(_KEYS))
        return words

    def _unique(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        words = dict(pairs)
        if len(words) != len(pairs):
            names = [name for name, _ in pairs]
            self._refuse(next(name for name in names if names.count(name) > 1), "given twice", "once")
        return words

    def _one_of(self, words: Mapping[str, Any], key: str, allowed: Sequence[str]) -> str:
        value = words.get(key)
        if value not in allowed:
            self._refuse(key, repr(value), ", ".join(allowed))
        return str(value)

    def _columns(self, words: Mapping[str, Any], key: str, types: Sequence[str]) -> tuple[Column, ...]:
        entries = words.get(key)
        if not isinstance(entries, list) or not entries:
            self._refuse(key, repr(entries), 'a list of {"name": …, "datatype": …}')
        columns: list[Column] = []
        for index, entry in enumerate(entries):
            where = f"{key}[{index}]"
            if not isinstance(entry, dict) or entry.keys() != {"name", "datatype"}:
                self._refuse(where, repr(entry), '{"name": …, "datatype": …}')
            if not isinstance(entry["name"], str) or not entry["name"]:
                self._refuse(f"{where}.name", repr(entry["name"]), "a text that is not empty")
            if any(entry["name"] == column.name for column in columns):
                self._refuse(f"{where}.name", f"{entry['name']!r} a second time", "a name of its own")
            self._one_of(entry, "datatype", types)
            columns.append(Column(name=entry["name"], datatype=entry["datatype"]))
        return tuple(columns)

    def _classes(self, words: Mapping[str, Any], task: str) -> tuple[int, ...] | None:
        classes = words.get("classes")
        if task == "regression":
            if classes is not None:
                self._refuse("classes", repr(classes), "left out for regression")
            return None
        if not isinstance(classes, list) or len(classes) < 2 or any(type(value) is not int for value in classes):
            self._refuse("classes", repr(classes), "a list of two or more integers")
        if len(set(classes)) != len(classes) or (task == "binary" and len(classes) != 2):
            self._refuse("classes", repr(classes), "different integers, two of them for a binary task")
        return tuple(classes)

    def _example(self, words: Mapping[str, Any], inputs: Sequence[Column]) -> tuple[float, ...]:
        example = words.get("example")
        names = {column.name for column in inputs}
        if not isinstance(example, dict) or example.keys() != names:
            self._refuse("example", repr(example), "an object with one value for every input")
        for name, value in example.items():
            if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
                self._refuse(f"example.{name}", repr(value), "a finite number or null")
        return tuple(math.nan if example[column.name] is None else float(example[column.name]) for column in inputs)

    def _refuse(self, field: str, found: str, allowed: str, *, where: Place | None = None) -> NoReturn:
        path = tuple(int(index) if index else name for name, index in _STEP.findall(field))
        raise UnusableInput(
            f"{field}: found {found}; allowed: {allowed}" if field else f"found {found}; allowed: {allowed}",
            fix="the training command writes this file; mend it there",
            where=where or place_of(self._data, self._file, path),
        )
