"""Which addresses of servers and services, and which names of variables, may stand in gatewright.yaml."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import MinLen, Predicate


def server_address(text: str) -> bool:
    """http:// or https:// with a host that is not link-local, without user, password, query and fragment."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    printed = text.isascii() and text.isprintable() and not set(text) & set(" ?#\\")
    plain = printed and bool(host) and port != 0 and "@" not in parts.netloc
    return plain and parts.scheme in ("http", "https") and not _is(host, "is_link_local")


def service_address(text: str) -> bool:
    """The same, where a token is sent along: http:// on loopback only."""
    if not server_address(text):
        return False
    parts = urlsplit(text)
    host = parts.hostname or ""
    return parts.scheme == "https" or host == "localhost" or _is(host, "is_loopback")


def name_of_variable(text: str) -> bool:
    """The name of an environment variable, not a value: A-Z, 0-9 and _, of which the first is no digit."""
    return text.isascii() and text.replace("_", "a").isalnum() and text.upper() == text and not text[0].isdigit()


def owner_and_name(text: str) -> bool:
    """`owner/name` of letters, digits, dots, dashes and underscores."""
    parts = text.split("/")
    return len(parts) == 2 and all(
        part.isascii() and part.strip(".") and part.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()
        for part in parts
    )


Address = Annotated[str, Predicate(service_address)]
Variable = Annotated[str, MinLen(1), Predicate(name_of_variable)]


def _is(host: str, what: str) -> bool:
    try:
        found = ip_address(host)
        return bool(getattr(getattr(found, "ipv4_mapped", None) or found, what))
    except ValueError:
        return False
