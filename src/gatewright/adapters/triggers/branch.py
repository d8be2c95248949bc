"""A pull request to be: the new pointer files on a branch of their own, pushed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import MinLen

from gatewright.adapters.triggers.published import publish
from gatewright.domain.claim import Order, Started
from gatewright.effects.git_remote import remote_address
from gatewright.ports import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The remote that the branch is pushed to."""

    remote: Annotated[str, MinLen(1)] = "origin"


class BranchTrigger:
    """Port `Trigger`: `gatewright/data/NAME-VERSION` is pushed; who opens its pull request starts the pipeline."""

    def __init__(self, options: Options, context: Context) -> None:
        self._remote = options.remote
        self._root = context.root

    def start(self, order: Order) -> Started:
        """Push the branch. Where its files are on the upstream already, there is nothing to push."""
        branch, new = publish(order, self._root, self._remote)
        if branch is None:
            return Started(what="the pointer is on the upstream branch already: its push has started the pipeline")
        at = remote_address(self._root, self._remote)
        what = f"pushed {branch}" if new else f"{branch} was pushed before"
        how = f"open its pull request: gh pr create --head {branch}, or on the page of {at}"
        return Started(what=f"{what}; {how}", place=branch)
