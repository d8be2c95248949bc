"""Predictions as the model servers logged them, and the labels that come later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from gatewright.domain.routing import COPY, MIRRORED, TESTER

PREDICTIONS, LABELS = "predictions", "labels"
"""First words of the names of their segments."""
LONGEST_ID = 128
MOST_LABELS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One request that reached a model: `outputs` has a number per row, and none if the model failed on it.

    `slices` names the declared slices of one of its rows, `chosen_row`; empty unless a rollout has asked for them.
    `route` is what the gateway called its split (rollout, revision, weight, and whether the request was copied or is
    the copy), empty without one; `arm` the first twelve
    digits of the model's digest; `attempt` 2 when another arm had been asked first; `user` a hash, empty if unknown.
    Times in seconds since the epoch.
    """

    id: str
    at: float
    route: str
    attempt: int
    arm: str
    user: str
    outputs: tuple[float, ...]
    slices: tuple[str, ...] = ()

    @property
    def mirrored(self) -> bool:
        """Whether the request was also sent to a canary that nobody gets answers from."""
        return self.route.endswith(f"|{MIRRORED}")

    @property
    def is_copy(self) -> bool:
        """Whether it is the canary's answer to such a copy."""
        return self.route.endswith(f"|{COPY}")

    @property
    def of_tester(self) -> bool:
        """Whether a tester had chosen the arm: it says nothing of the traffic."""
        return self.route.endswith(f"|{TESTER}")

    @property
    def rollout(self) -> str:
        """The rollout whose split the request met."""
        return self.route.split("|")[0]

    @property
    def weight(self) -> float:
        """The canary's weight, in per cent, under which it was routed; 0 outside a rollout's split."""
        parts = self.route.split("|")
        return int(parts[2]) / 100 if len(parts) == 3 and parts[2].isdigit() else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the right answer to a request would have been, or, as `reward`, how good it was: a number per row."""

    id: str
    values: tuple[float, ...]
    reward: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A label or a reward joined to the request that it belongs to: one row of it, chosen by the request's id."""

    at: float
    arrived: float
    weight: float
    arm: str
    user: str
    prediction: float
    label: float
    slices: tuple[str, ...] = ()
    reward: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of labels. `waiting`: no prediction with their id is known (yet).

    `doubled` came twice with one value, `conflicting` with another one than before, of which the first counts.
    `unusable`: the request was rescued by the other arm, its id was used for several requests, or the label has
    another number of rows than the answer.
    """

    joined: int = 0
    waiting: int = 0
    doubled: int = 0
    conflicting: int = 0
    unusable: int = 0


def chosen_row(name: str, rows: int) -> int:
    """The row of a request that counts, drawn by its id: the rows of one request resemble each other."""
    return crc32(name.encode()) % rows


def read_label(entry: Any) -> Label:
    """A label from `{"request_id": …, "label": number or list of numbers}`, or with a `reward` from 0 to 1 instead.

    ValueError says what is wrong.
    """
    kinds = ("label", "reward")
    kind = next((kind for kind in kinds if isinstance(entry, Mapping) and entry.keys() == {"request_id", kind}), None)
    if kind is None:
        raise ValueError('is not {"request_id": text, "label": number} or {"request_id": text, "reward": 0 to 1}')
    name, label = entry["request_id"], entry[kind]
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        raise ValueError(f"request_id {name!r:.80} is not a text of 1 to {LONGEST_ID} characters")
    values = label if isinstance(label, list) else [label]
    if not values or not all(_is_number(value) for value in values):
        raise ValueError(f"{kind} {label!r:.80} is not a number, or a list with a number for each row")
    if kind == "reward" and not all(0.0 <= value <= 1.0 for value in values):
        raise ValueError(f"reward {label!r:.80} is not from 0 to 1")
    return Label(id=name, values=tuple(float(value) for value in values), reward=kind == "reward")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
