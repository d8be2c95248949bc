"""How a link says that it does not hold, and what every link asks first."""

from __future__ import annotations

from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.engine.attesting import check_statement
from gatewright.engine.handover import STAGE_OF, verify_chain
from gatewright.engine.provenance.deployment import Deployment
from gatewright.store.runs import LOCK, Handoff


class Unproven(Exception):
    """Nothing here contradicts the link, and nothing here proves it."""


def same(name: str, *, recorded: object, found: object) -> None:
    """DigestChanged unless both are the same."""
    if recorded != found:
        raise DigestChanged(name, recorded=str(recorded), found=str(found), fix="restore what was recorded")


def taken(deployment: Deployment, name: str) -> Handoff:
    """A hand-off of the run that passed, unedited, made from hand-offs that are still the same, with its statement."""
    run = deployment.run
    handoff = run.need(name, STAGE_OF[name])
    if name != LOCK and handoff.status not in ("passed", "promoted", "rolled_back", "aborted", "restored"):
        raise UnusableInput(f"{name}.json says {handoff.status!r}", fix="such a run deploys nothing")
    verify_chain(run, name, handoff)
    check_statement(run, name)
    return handoff
