"""Bad input, the list of report files (`gatewright gate REPORT`)."""

from __future__ import annotations

import json

from tests.corpus.rows import Bad, edited

LISTED = (
    "NaN",
    "missing metric",
    "half-written",
    "duplicate key",
    "number as string or bool",
    "1e999",
    "50 MB",
    "no report at all",
)
BASELINE = json.dumps({"overall_accuracy": 0.9, "slices": {"SEX=1": 0.9}, "demographic_parity_diff": 0.1})
GOOD = """\
{
  "overall_accuracy": 0.91,
  "slices": {"SEX=1": 0.9},
  "demographic_parity_diff": 0.05,
  "latency_p99_ms": 120
}
"""
ACCURACY = "overall_accuracy: is"
SHARE = "not a number from 0 to 1"


def accuracy(listed: str, text: str, shown: str | None = None) -> Bad:
    says = f"eval.json:2:23: {ACCURACY} {shown or repr(text)}, {SHARE}"
    return Bad(name=listed, data=edited(GOOD, "0.91", text), says=says)


ROWS = (
    accuracy("NaN", "NaN"),
    accuracy("NaN", "-Infinity"),
    accuracy("NaN", "null", "nothing"),
    Bad(
        name="NaN",
        data=edited(GOOD, '"SEX=1": 0.9', '"SEX=1": NaN'),
        says=f"eval.json:3:23: slices.SEX=1: is 'NaN', {SHARE}",
    ),
    Bad(
        name="missing metric",
        data=edited(GOOD, '  "overall_accuracy": 0.91,\n', ""),
        says="eval.json:1:1: overall_accuracy: is missing",
    ),
    Bad(
        name="missing metric",
        data=edited(GOOD, "overall_accuracy", "overal_accuracy"),
        says="eval.json:2:3: overal_accuracy: unknown word: did you mean 'overall_accuracy'?",
    ),
    Bad(
        name="half-written",
        data=GOOD[: len(GOOD) // 2],
        says="eval.json:4:2: not JSON: the file ends before all that it opens is closed",
    ),
    Bad(name="half-written", data="", says="eval.json:1:1: the file is empty"),
    Bad(
        name="duplicate key",
        data=edited(GOOD, "{\n", '{\n  "overall_accuracy": 0.99,\n'),
        says="eval.json:3:3: the key 'overall_accuracy' stands twice: first in line 2",
    ),
    accuracy("number as string or bool", '"0.91"', "'0.91'"),
    accuracy("number as string or bool", "true", "true"),
    accuracy("1e999", "1e999"),
    accuracy("1e999", "91", "91"),
    Bad(
        name="50 MB",
        data=b"[" * 50_000_000,
        says="eval.json: the file is larger than 2,097,152 bytes: is it the right file?",
    ),
    Bad(
        name="50 MB",
        data=b"[" + b"{}," * 600_000,
        says="eval.json:1:89997: more than 60,000 keys and values: is it the right file?",
    ),
    Bad(name="no report at all", data=b"\xff\xfe{\x00}\x00", says="eval.json:1:1: the file is UTF-16"),
    Bad(name="no report at all", data="[" * 10_000, says="eval.json:1:51: nested more than 50 levels deep"),
    Bad(
        name="no report at all",
        data="[0.91]",
        says="eval.json:1:1: is a list, not an object with overall_accuracy and the other numbers",
    ),
    Bad(
        name="no report at all",
        data="{" + ",".join(f'"k{n}": 1' for n in range(2000)) + "}",
        says="eval.json:1:1: has 2,000 fields, at most 1,000 are read: is it the right file?",
    ),
)
