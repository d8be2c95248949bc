"""Where a CI finds the pointer files of an order: on its usual ref, or on a branch that is pushed for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gatewright.domain.claim import Order
from gatewright.domain.errors import StartFailed, UnusableInput, WorldFailed
from gatewright.effects.git import head
from gatewright.effects.git_remote import at_upstream, push_files
from gatewright.rules.watching import DATA_VERSION

PREFIX = "gatewright/data"


def branch_of(order: Order) -> str:
    """The branch for the pointer files of this order."""
    if not DATA_VERSION.fullmatch(order.data_version):
        raise UnusableInput(f"{order.data_version!r} is no data version", fix="NAME@VERSION")
    return f"{PREFIX}/{order.data_version.replace('@', '-')}"


def publish(order: Order, root: Path, remote: str) -> tuple[str | None, bool]:
    """The branch on which `remote` holds pointer files of `order` that its upstream has not, and whether it is new.

    None when the upstream has them all. StartFailed when they cannot be pushed.
    """
    if head(root) is None:
        raise StartFailed(f"{root} is no git repository, or has no commit", fix="a CI sees data versions through git")
    try:
        missing = at_upstream(root, order.pointers)
        if not missing:
            return None, False
        branch = branch_of(order)
        message = f"Data: {order.data_version.replace('@', ' ')}\n\n{order.reason}\n\nRun: {order.run}\n"
        at = order.created_at or datetime.fromtimestamp(0, UTC)
        return branch, push_files(root, missing, remote=remote, branch=branch, message=message, at=at)
    except WorldFailed as error:
        raise StartFailed(error.what, fix=error.fix, again=True) from error
