"""Users in groups by a hash that has nothing to do with the arm they are in."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from gatewright.domain.evidence import USER_GROUPS


def by_group(requests: Iterable[tuple[str | None, bool]]) -> tuple[tuple[int, int], ...]:
    """Requests and bad ones of each group, from (user, bad); empty when some user is not known, or there is none."""
    n, bad = [0] * USER_GROUPS, [0] * USER_GROUPS
    for user, is_bad in requests:
        if not user:
            return ()
        group = zlib.crc32(user.encode()) % USER_GROUPS
        n[group] += 1
        bad[group] += is_bad
    return tuple(zip(n, bad, strict=True)) if any(n) else ()
