"""Which change of data starts a run, what is claimed for it, what is told to a CI, and when a start is tried again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gatewright.domain.claim import Order, Subject
from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.errors import UnusableInput
from gatewright.rules.plan import Plan
from gatewright.rules.trigger import Inputs

ATTEMPTS = 5
LEASE_S = 300.0
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,16}")
DATA_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}@\d{4}-\d{2}-\d{2}-[0-9a-f]{8}")
_MODEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NOT_TOLD = re.compile(r"[^A-Za-z0-9 .,:@%+/_→-]+")
_LONGEST_REASON = 400
_FIRST_WAIT_S, _LONGEST_WAIT_S = 15.0, 3600.0
_SETS = ("data", "evaluation data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Whether a run starts for what the plan has found: `idle` claims nothing, for nothing is new in the data."""

    kind: Literal["start", "nothing", "blocked", "idle"]
    why: str


def subject(model: str, inputs: Inputs) -> Subject:
    """What is claimed for a run of `model` on `inputs`."""
    return Subject(
        model=model,
        data_digest=sha256(canonical_json([inputs.train_digest, inputs.evaluation_digest])),
        code_digest=inputs.code,
    )


def claim_id(claimed: Subject) -> str:
    """Sixteen hex digits that stand for this model, data and code."""
    return sha256(canonical_json(claimed)).removeprefix("sha256:")[:16]


def run_id(claimed: Subject, now: datetime) -> str:
    """The id of the one run of a claim made `now`; kept with the claim, so that every start gives the same run."""
    return f"{now:%Y%m%d-%H%M%S}-{claim_id(claimed)[:8]}"


def choose(plan: Plan, *, deployed: bool) -> Choice:
    """Whether the plan asks for a run because of data. Code and configuration alone are the business of a push."""
    if not deployed:
        why = "the model was never deployed: somebody has to allow the first one: gatewright run --bootstrap-by NAME"
        return Choice(kind="idle", why=why)
    changed = [change for change in plan.changes if change.what in _SETS]
    if not changed:
        why = f"no new data ({plan.why}: gatewright run starts that)" if plan.changes else "nothing changed"
        return Choice(kind="idle", why=why)
    told = "; ".join(map(str, plan.changes))
    if plan.action == "nothing":
        return Choice(kind="nothing", why=plan.why)
    if all(change.kind in ("none", "rewrite") for change in changed) and plan.action != "blocked":
        return Choice(kind="idle", why=f"{told}: no row differs, and gatewright run starts what else changed")
    return Choice(kind="blocked" if plan.action == "blocked" else "start", why=told)


def newest_data(plan: Plan) -> str:
    """`NAME@VERSION` of the set that changed, the training data first."""
    found = next((change for what in _SETS for change in plan.changes if change.what == what), None)
    return found.now.replace(" ", "@") if found else ""


def told_reason(why: str) -> str:
    """`why` in one line of harmless characters: names of columns come from data, and somebody's CI may run a shell."""
    words = " ".join(_NOT_TOLD.sub(" ", why.replace(";", ",")).split()).lstrip("-. ")
    return words if len(words) <= _LONGEST_REASON else words[: _LONGEST_REASON - 3] + "..."


def checked(order: Order) -> Order:
    """The order, every word of which may travel; UnusableInput names the one that may not."""
    rules = (("data_version", DATA_VERSION), ("model", _MODEL), ("run", RUN_ID))
    for name, rule in rules:
        if not rule.fullmatch(getattr(order, name)):
            raise UnusableInput(
                f"{getattr(order, name)!r} is no {name.replace('_', ' ')}: nothing is started with it",
                fix=f"it has to look like {rule.pattern}",
            )
    if order.reason != told_reason(order.reason):
        raise UnusableInput("the reason holds characters that may not travel", fix="letters, digits and .,:@%+/_-→")
    return order


def next_wait_s(attempts: int, after_s: float) -> float:
    """Seconds until the next start after `attempts` failed ones; `after_s` is what the other side asked for."""
    backoff = min(_FIRST_WAIT_S * 2.0 ** (attempts - 1), _LONGEST_WAIT_S)
    return max(backoff, min(after_s, _LONGEST_WAIT_S))
