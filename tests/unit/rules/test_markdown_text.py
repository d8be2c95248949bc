"""Foreign text in Markdown: nothing in it may link, call somebody, command, or hide."""

from __future__ import annotations

import pytest

from gatewright.rules.markdown_text import code, marker, table, text

GAP = "\u200b"


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("SEX=1 & AGEP>=65", "SEX=1 & AGEP>=65"),
        ("AGEP<18", "AGEP<18"),
        ("demographic_parity of RAC1P", "demographic_parity of RAC1P"),
        ("<img src=x onerror=y>", "&lt;img src=x onerror=y>"),
        ("<!-- gatewright:toy -->", "&lt;!-- gatewright:toy -->"),
        ("&#64;team &lt;b&gt; A&B", f"&amp;#{GAP}64;team &amp;lt;b&amp;gt; A&B"),
        ("ask @acme/team", f"ask @{GAP}acme/team"),
        ("fixes #12, GH-7, acme/models#3", f"fixes #{GAP}12, GH-{GAP}7, acme/models#{GAP}3"),
        ("!12 &4 $9 %\"v 1\" ~bug", f"!{GAP}12 &{GAP}4 ${GAP}9 %{GAP}\"v 1\" \\~{GAP}bug"),
        ("5 % of 3!", "5 % of 3!"),
        ("see https://evil.example/a", f"see https:{GAP}//evil.example/a"),
        ("WWW.evil.example", f"WWW{GAP}.evil.example"),
        ("mailto:a", f"mailto:{GAP}a"),
        ("[a](http://b) ![i](x)", f"\\[a\\](http:{GAP}//b) !\\[i\\](x)"),
        ("`x` *y* __z__ ~~w~~ a|b \\", f"\\`x\\` \\*y\\* \\_\\_z\\_\\_ \\~\\~{GAP}w\\~\\~ a\\|b \\\\"),
        ("/close", "\\/close"),
        ("# head", "\\# head"),
        ("> said", "\\> said"),
        ("- item", "\\- item"),
        ("one\r\n/merge\ntwo", "one<br>/merge<br>two"),
        ("a\u202eb\u2066c\x00d", "abcd"),
    ],
)  # fmt: skip
def test_foreign_text_stays_text(foreign: str, shown: str) -> None:
    assert text(foreign) == shown


def test_it_is_cut_before_it_is_escaped() -> None:
    assert text("*" * 10, at_most=4) == "\\*\\*\\*…"


def test_code_closes_neither_itself_nor_a_cell() -> None:
    assert code("a`b|c\nd") == "a'b¦c d"


def test_a_table_has_a_rule_below_its_head() -> None:
    assert list(table(("a", ""), [("1", "2")])) == ["| a |  |", "|---|---|", "| 1 | 2 |"]


def test_a_marker_cannot_be_ended_by_a_name() -> None:
    assert marker("gatewright", "toy-1.a_b") == "<!-- gatewright:toy-1.a_b -->"
    assert marker("gatewright", "a--> <b>:ü") == "<!-- gatewright:a-%2d;%3e;%20;%3c;b%3e;%3a;%fc; -->"
