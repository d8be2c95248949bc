"""Where the state lives that outlives a run: on this machine, or in a place that every job can reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from gatewright.domain.duration import Duration

STATE_REF = "refs/gatewright/state"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSection:
    """`local`: in .gatewright only. `git`: a copy in a ref of a remote, changed by compare-and-set.

    `keep`: of how many ended runs hand-offs and looks stay in the ref. `timeout` bounds each command of git.
    """

    kind: Literal["local", "git"] = "local"
    remote: Annotated[str, MinLen(1)] = "origin"
    ref: Annotated[str, MinLen(1)] = STATE_REF
    keep: Annotated[int, Ge(1)] = 20
    timeout: Duration = Duration(30.0)
