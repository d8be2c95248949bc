"""Which addresses of a service, and which names of variables, may stand in gatewright.yaml."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import MinLen, Predicate


def service_address(text: str) -> bool:
    """https:// (http:// on loopback only) with a host that is not link-local, without user, password, query."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    printed = text.isascii() and text.isprintable() and not set(text) & set(" ?#\\")
    if not host or port == 0 or not printed or "@" in parts.netloc or _is(host, "is_link_local"):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (host == "localhost" or _is(host, "is_loopback")))


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
        return bool(getattr(ip_address(host), what))
    except ValueError:
        return False
