"""Which URLs data and models may come from: no secrets in them, no way into this machine's own files or metadata."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from gatewright.domain.errors import UnusableInput

SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "http", "https", "memory")
_PINS = {"s3": "versionId"}
_METADATA = {"fd00:ec2::254", "100.100.100.200"}  # where AWS (IPv6) and Alibaba tell them, not link-local


def check_url(url: str) -> str:
    """The scheme of `url`; UnusableInput when it may not be used, without repeating a secret that stands in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise UnusableInput("the URL of the data is none", fix="write it like s3://bucket/folder") from error
    if not url.isascii() or not url.isprintable() or " " in url or "::" in re.sub(r"\[[^]/]*\]", "", url):
        raise UnusableInput("the URL of the data holds blanks, chains (::) or odd characters", fix="write a plain URL")
    if "@" in parts.netloc:
        raise UnusableInput(
            f"the {parts.scheme} URL holds credentials",
            fix="take them out of it (and change them): they come from the environment or the configuration of fsspec",
        )
    if parts.scheme not in SCHEMES:
        raise UnusableInput(
            f"data may not come from {parts.scheme}://",
            fix=f"use {', '.join(f'{name}://' for name in SCHEMES)}, or a path below the workspace",
        )
    if parts.fragment or [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)] not in (
        [],
        [_PINS.get(parts.scheme)],
    ):
        raise UnusableInput(
            f"the {parts.scheme} URL holds a query or a fragment, where signatures and tokens stand",
            fix="take it out: credentials come from the environment or the configuration of fsspec",
        )
    if not host and parts.scheme != "memory":
        raise UnusableInput(f"{url} names no {'host' if 'http' in parts.scheme else 'bucket'}", fix="write a whole URL")
    if parts.scheme in ("http", "https"):
        refuse_link_local(host)
    return parts.scheme


def refuse_link_local(host: str) -> None:
    """UnusableInput when `host` is, or has, a link-local address: there cloud machines tell their own secrets."""
    try:
        found = [str(ip_address(host))]
    except ValueError:
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, None)]
        except OSError:
            found = []  # no such host: connecting will say so
    if any(_is_forbidden(address) for address in found):
        raise UnusableInput(f"{host} is a link-local address", fix="data may not come from there")


def _is_forbidden(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_link_local or str(found) in _METADATA
