"""Which addresses of services may stand in gatewright.yaml."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def server_address(text: str) -> bool:
    """http:// or https:// with a host that is not link-local, without user, password, query and fragment."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    plain = parts.scheme in ("http", "https") and bool(host) and port != 0 and not parts.query and not parts.fragment
    printed = text.isascii() and text.isprintable() and not set(text) & set(" ?#")
    return plain and printed and "@" not in parts.netloc and not _link_local(host)


def _link_local(host: str) -> bool:
    try:
        return ip_address(host).is_link_local
    except ValueError:
        return False
