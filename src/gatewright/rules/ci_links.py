"""Links of a report: only what cannot be anything else than a link. Pure."""

from __future__ import annotations

import re

# RFC 3986 without brackets, parentheses and quotes, which could end the link in Markdown.
_URL = re.compile(r"https?://[\w.:-]+(?:/[\w.~%!$&*+,;=:@/?#-]*)?", re.ASCII)
_LONGEST = 2000


def safe_link(url: str) -> str:
    """`url` if it is http or https, without user, and may stand in Markdown; else nothing."""
    return url if _URL.fullmatch(url) and len(url) <= _LONGEST else ""
