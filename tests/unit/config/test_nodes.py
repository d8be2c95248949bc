"""YAML without its surprises, each refusal with its position."""

from __future__ import annotations

import contextlib
import json
import math
import time

import pytest

from gatewright.config.nodes import Document, parse
from gatewright.config.problems import MOST_TOLD
from gatewright.domain.errors import ConfigError, Place, ReportError


def told(data: bytes, limit: int = 1 << 20) -> list[str]:
    """`line:column what` of every problem."""
    with pytest.raises(ConfigError) as caught:
        parse(data, "f.yaml", limit=limit)
    return [f"{p.where.line}:{p.where.column} {p.what}" for p in caught.value.problems]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *((word, word) for word in ("no", "No", "yes", "on", "OFF", "y", "n", "True", "FALSE")),
        *((word, word) for word in ("0o17", "0123", "-017", "00.5", "0x1F", "1_000", "1:30", "190:20:30")),
        *((word, word) for word in (".nan", ".inf", "-.inf", "NaN", "Infinity", "1e999", "-1e999", "9" * 19)),
        *((word, word) for word in ("2020-01-01", "2020-01-01T00:00:00Z", "+", ".", "1e")),
        *((word, None) for word in ("null", "~", "")),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-5", -5),
        ("+5", 5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-0.5e-3", -0.0005),
        ("1E+2", 100.0),
    ],
)
def test_plain_words(word: str, value: object) -> None:
    found = parse(f"a: {word}\n".encode(), "f").value["a"]
    assert found == value
    assert type(found) is type(value)


def test_quoted_words_are_text() -> None:
    assert parse(b"""["true", '5', ""]""", "f").value == ["true", "5", ""]


def test_json_reads_as_json() -> None:
    value = {"a": [1, -0.5e-3, 1e21, True, None, ""], "b/ü": {"c": 'x\ny\t"\\\\😀\\ud83d'}, "5": {}}
    for indent in (None, 2, "\t"):
        for ascii_only in (True, False):
            data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
            assert parse(data, "f").value == value


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "1:1 the file is empty"),
        (b"# only a comment\n", "1:1 the file is empty"),
        (b"a: 1\n\x00\x01", "2:1 the file is not text (it contains a NUL byte)"),
        (b"a: 1\nb: \xff\xff", "2:4 the file is not UTF-8 text from here on"),
        ("a: 1".encode("utf-16"), "1:1 the file is UTF-16: save it as UTF-8"),
        (b"\xef\xbb\xbfa: 1", "1:1 the file starts with a byte-order mark: save it as UTF-8 without one"),
        (b"a:\n\tb: 1\n", "2:1 a tab indents this line: YAML is indented by spaces"),
        (b"a: 1\n---\nb: 2\n", "2:1 a second document starts here: one file holds one document"),
        (b"a: [1\nb: 2\n", "2:2 not YAML: did not find expected ',' or ']' (while parsing a flow sequence)"),
        (b"a: [", "1:5 not YAML: the file ends before all that it opens is closed (while parsing a flow node)"),
        (b"a: 1\nbc", "2:3 not YAML: could not find expected ':' (while scanning a simple key)"),
        (b'a: "b', "1:6 not YAML: the file ends before all that it opens is closed (while scanning a quoted scalar)"),
        (b"a: {b: 1,\n", "2:1 not YAML: the file ends before all that it opens is closed (while parsing a flow node)"),
        (b"a: b: c", "1:5 not YAML: mapping values are not allowed in this context"),
        (b"a: 1\nb: {c: 2, c: 3}", "2:11 the key 'c' stands twice: first in line 2"),
        (b'{"a": 1, "\\u0061": 2}', "1:10 the key 'a' stands twice: first in line 1"),
        (b"1: a\n'1': b", "2:1 the key '1' stands twice: first in line 1"),
        (b"a: &x 1", "1:4 the anchor &x is not allowed: write the value where it is used"),
        (b"b: *x", "1:4 the alias *x is not allowed: write the value out"),
        (b"<<: {a: 1}", "1:1 the merge key << is not allowed: write the keys out"),
        (b"a: !!int '5'", "1:4 the tag 'tag:yaml.org,2002:int' is not allowed: write the plain value"),
        (b"a: !env HOME", "1:4 the tag '!env' is not allowed: write the plain value"),
        (b"true: 1", "1:1 the key true is not text: put it in quotes"),
        (b"1.5: 1", "1:1 the key 1.5 is not text: put it in quotes"),
        (b"?\n: 1", "1:2 the key is missing"),
        (b"[a]: 1", "1:1 a key must be text, not a list"),
        ("a: x\u200by".encode(), "1:5 an invisible character (U+200B ZERO WIDTH SPACE): remove it"),
        ("a: \u202ex".encode(), "1:4 an invisible character (U+202E RIGHT-TO-LEFT OVERRIDE): remove it"),
        (b'a: "x\\0y"', "1:4 an invisible character (U+0000 control character): remove it"),
        (b'a: "\\u200b"', "1:4 an invisible character (U+200B ZERO WIDTH SPACE): remove it"),
        (b"a: \x1b[31m", "1:4 an invisible character (U+001B control character): remove it"),
        (b"a: 1\rb: 2", "1:5 an invisible character (U+000D control character): remove it"),
        (b"[" * 10_000, "1:51 nested more than 50 levels deep"),
        (b"- " * 10_000, "1:101 nested more than 50 levels deep"),
        (b"{a: " * 10_000, "1:201 nested more than 50 levels deep"),
    ],
)
def test_refused(data: bytes, expected: str) -> None:
    assert told(data) == [expected]


def test_python_tags_run_nothing() -> None:
    (problem,) = told(b"a: !!python/object/apply:os.system ['exit 1']")
    assert problem.startswith("1:4 the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed")


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    found = told(b'a: &x 1\nb: *x\n<<: {c: !t 1}\na: 2\ntrue: 3\n[1]: 4\nd: "\\0"\n')
    assert [line.split(" ")[0] for line in found] == ["1:4", "2:4", "3:1", "3:9", "4:1", "5:1", "6:1", "7:4"]


def test_problems_before_a_syntax_error_are_told_too() -> None:
    assert [line.split(" ")[0] for line in told(b"a: &x 1\nb: ]\n")] == ["1:4", "2:4"]


def test_a_flood_of_problems_is_cut() -> None:
    found = told(b"a: !x 1\n" + b"".join(b"b%d: *x\n" % number for number in range(1000)))
    assert len(found) == MOST_TOLD + 1
    assert found[-1] == f"None:None and {1001 - MOST_TOLD} more problems"


def test_alias_bomb_costs_nothing() -> None:
    bomb = b"a0: &a0 [x, x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 60))
    assert "the anchor &a0 is not allowed" in told(bomb)[0]


def test_larger_than_the_limit() -> None:
    assert told(b"a" * 11, limit=10) == ["None:None the file is larger than 10 bytes: is it the right file?"]
    assert parse(b"a" * 10, "f", limit=10).value == "a" * 10


@pytest.mark.parametrize("data", [b"[" + b"1," * 130_000 + b"]", b"a: " + b"x" * 260_000, b"k: [\n" * 50_000])
def test_large_files_are_quick(data: bytes) -> None:
    started = time.process_time()
    with contextlib.suppress(ConfigError):
        parse(data, "f", limit=1 << 18)
    assert time.process_time() - started < 3


def test_the_error_is_the_one_asked_for() -> None:
    with pytest.raises(ReportError, match=r"r\.json has 1 problem\n  r\.json:1:1: the file is empty"):
        parse(b"", "r.json", ReportError)


@pytest.fixture
def document() -> Document:
    return parse(b"# c\na:\n  - b: 1\n    c: [2, {d: 3}]\n", "f.yaml")


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), (2, 1), (2, 1)),
        (("a",), (3, 3), (2, 1)),
        (("a", 0), (3, 5), (3, 5)),
        (("a", 0, "b"), (3, 8), (3, 5)),
        (("a", 0, "c", 1, "d"), (4, 16), (4, 13)),
        (("a", 0, "c", 7), (4, 8), (4, 5)),
        (("x", "y"), (2, 1), (2, 1)),
        (("a", 0, "b", "deeper"), (3, 8), (3, 5)),
    ],
)
def test_places(document: Document, path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]) -> None:
    assert document.place(path) == Place(file="f.yaml", line=value[0], column=value[1])
    assert document.key_place(path) == Place(file="f.yaml", line=key[0], column=key[1])


def test_lines_of_windows() -> None:
    found = parse(b"a: 1\r\nb:\r\n  c: x\r\n", "f")
    assert found.value == {"a": 1, "b": {"c": "x"}}
    assert found.place(("b", "c")).line == 3


def test_columns_count_characters_not_bytes() -> None:
    assert parse("{ü: 'äöü', b: 1}".encode(), "f").place(("b",)).column == 15


def test_no_value_is_ever_infinite() -> None:
    found = parse(b"[1e308, 9e9999, -.inf, 1e-999]", "f").value
    assert all(math.isfinite(entry) for entry in found if isinstance(entry, float))
