"""URLs of data: none with secrets, none that leads back into this machine or to its metadata."""

from __future__ import annotations

import socket

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.effects.addresses import check_url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "may not come from file"),
        ("local:///etc/a.csv", "may not come from local"),
        ("ftp://host/a.csv", "may not come from ftp"),
        ("s3://key:secret@bucket/a.csv", "credentials"),
        ("https://ann@host/a.csv", "credentials"),
        ("https://host/a.csv?X-Amz-Signature=secret", "query"),
        ("s3://bucket/a.csv?token=secret", "query"),
        ("https://host/a.csv#secret", "fragment"),
        ("http://169.254.169.254/a.csv", "link-local"),
        ("http://[fe80::1]/a.csv", "link-local"),
        ("http://[::ffff:169.254.169.254]/a.csv", "link-local"),
        ("http://2852039166/a.csv", "link-local"),
        ("http://[fd00:ec2::254]/a.csv", "link-local"),
        ("simplecache::s3://bucket/a.csv", "odd characters"),
        ("s3:///a.csv", "bucket"),
        ("https:///a.csv", "host"),
        ("s3://bucket/a\nb.csv", "odd characters"),
        ("http://[x/a.csv", "is none"),
    ],
)
def test_urls_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(UnusableInput, match=words) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["s3://bucket/a/b.csv", "s3://b/a.csv?versionId=x", "memory://a", "http://127.0.0.1:1/a"]
)
def test_urls_that_are_accepted(url: str) -> None:
    assert check_url(url) == url.partition(":")[0]


def test_a_name_that_stands_for_a_link_local_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    with pytest.raises(UnusableInput, match=r"metadata\.example is a link-local"):
        check_url("http://metadata.example/a.csv")
