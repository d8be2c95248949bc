"""`gatewright feedback`: files of labels, what became of them, and what is refused as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatewright.effects.segments import Segments
from gatewright.store.prediction_log import log_folder
from tests.unit.cli.conftest import Shell

TOLD = {"joined": 2, "waiting": 0, "doubled": 0, "conflicting": 0, "unusable": 0}


@pytest.fixture
def answered(workspace: Path) -> Path:
    """A workspace whose model servers have answered the requests a, b and c."""
    entry = {"at": 1.0, "ms": 1, "route": "r1|3|500", "try": 1, "arm": "new", "user": "", "out": [1]}
    log = Segments(log_folder(workspace, "toy"), "predictions", limit=1 << 20)
    log.append(b"".join(json.dumps({"id": name, **entry}).encode() + b"\n" for name in "abc"))
    return workspace


@pytest.mark.parametrize(
    "text",
    [
        "request_id,label\na,1\nb,0\n",
        "\ufefflabel,request_id\r\n1,a\r\n0,b\r\n",
        '{"request_id": "a", "label": 1}\n\n{"request_id": "b", "label": [0.5]}\n',
        "request_id,reward\na,1\nb,0.25\n",
        '{"request_id": "a", "label": 7}\n{"request_id": "b", "reward": 0.5}\n',
    ],
    ids=["CSV", "CSV of a spreadsheet", "JSON Lines", "rewards", "JSON Lines of both"],
)
def test_labels_of_a_file_are_joined(answered: Path, shell: Shell, text: str) -> None:
    (answered / "labels").write_text(text, encoding="utf-8")
    told = shell("feedback", str(answered / "labels"), "-C", str(answered), "--output", "json")
    assert json.loads(told.out) == {"labels": 2, "file": TOLD, "total": TOLD}


def test_unknown_doubled_and_conflicting_ones_are_told(answered: Path, shell: Shell) -> None:
    (answered / "labels.csv").write_text("request_id,label\na,1\na,1\nb,1\nb,0\nnever,1\nc,1\n")
    told = shell("feedback", str(answered / "labels.csv"), "-C", str(answered))
    assert told.out == (
        "6 labels: 3 joined, 1 waiting for an answer with their id, 1 doubled, "
        "1 conflicting with an earlier one, which stays\n"
        "all so far: 3 joined, 1 waiting for an answer with their id, 1 doubled, "
        "1 conflicting with an earlier one, which stays\n"
    )


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("request_id,label\na,1\nb,yes\n", 3, "label 'yes' is not a number"),
        ("request_id,label\na,nan\n", 2, "not a number"),
        ("request_id,label\na\n", 2, "another number of cells"),
        ("id,label\na,1\n", 1, "needed: request_id, label"),
        ("", 1, "needed: request_id, label"),
        ("request_id,reward\na,1\nb,1.01\n", 3, "reward 1.01 is not from 0 to 1"),
        ("request_id,reward\na,good\n", 2, "reward 'good' is not a number"),
        ("request_id,label,reward\na,1,1\n", 1, "needed: request_id, label (or request_id, reward)"),
        ('{"request_id": "a", "label": 1, "reward": 1}\n', 1, 'is not {"request_id": text, "label": number} or'),
        ('request_id,label\n"a,1\n', 1, "is not CSV"),
        ('{"request_id": "a", "label": 1}\n{"request_id": "b"', 2, "is not JSON"),
        ('{"request_id": "a", "label": 1, "label": 2}\n', 1, "stands twice"),
        ('{"request_id": 7, "label": 1}\n', 1, "is not a text"),
        ('{"request_id": "a", "label": "1"}\n', 1, "is not a number"),
    ],
)
def test_a_file_with_a_line_that_is_none_is_refused_whole(
    answered: Path, shell: Shell, text: str, line: int, what: str
) -> None:
    (answered / "labels").write_text(text)
    told = shell("feedback", str(answered / "labels"), "-C", str(answered))
    assert (told.code, told.out) == (2, "")
    assert f"labels:{line}: " in told.err
    assert what in told.err
    (answered / "labels").write_text("request_id,label\na,1\nb,0\n")
    told = shell("feedback", str(answered / "labels"), "-C", str(answered), "--output", "json")
    assert json.loads(told.out)["total"] == TOLD


def test_what_is_no_text_and_what_is_not_there(answered: Path, shell: Shell) -> None:
    (answered / "labels").write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8" in shell("feedback", str(answered / "labels"), "-C", str(answered)).err
    assert "does not exist" in shell("feedback", str(answered / "none"), "-C", str(answered)).err
