"""Draws of arms in the access log: a user's first request under a weight is a draw, all later ones repeat it.

Who was seen must be remembered, within bounds: of many users a sample by the hash of their names, which has nothing to
do with the gateway's own, so that it says nothing of their arm. When it is full, half of it is dropped, and those names
are not drawn from again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from gatewright.domain.share import DrawObservation

MOST_USERS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Users already seen in this era, of those whose hash is divisible by 2 ** level."""

    era: str = ""
    level: int = 0
    seen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A request for which one of the two arms was drawn, in a block that began at `at`."""

    at: float
    weight: float
    user: str | None
    canary: bool


def count(requests: Iterable[Drawn], users: Users, era: str) -> tuple[tuple[DrawObservation, ...], Users]:
    """Draws by block, and the users known after them; another era forgets them."""
    level, seen = (users.level, set(users.seen)) if users.era == era else (0, set[int]())
    blocks: dict[tuple[float, float], list[int]] = defaultdict(lambda: [0, 0])
    for request in requests:
        if request.user is not None:
            name = int.from_bytes(blake2b(request.user.encode(), digest_size=6).digest())
            if name % (1 << level) or name in seen:
                continue
            seen.add(name)
        counted = blocks[request.at, request.weight]
        counted[0] += 1
        counted[1] += request.canary
        while len(seen) > MOST_USERS:
            level += 1
            seen = {known for known in seen if known % (1 << level) == 0}
    return tuple(_observations(blocks)), Users(era=era, level=level, seen=tuple(sorted(seen)))


def _observations(blocks: dict[tuple[float, float], list[int]]) -> Iterator[DrawObservation]:
    for (at, weight), (drawn, canary) in sorted(blocks.items()):
        yield DrawObservation(weight=weight, at=at, drawn=drawn, canary=canary)
