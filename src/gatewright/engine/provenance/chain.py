"""The chain of a deployment: data → code → … → traffic, each link proven anew from what lies here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from gatewright.domain.errors import GatewrightError
from gatewright.engine.provenance import making, shipping
from gatewright.engine.provenance.deployment import Deployment
from gatewright.engine.provenance.findings import Unproven

State = Literal["proven", "broken", "unproven"]
Proof = Callable[[Deployment], str]
LINKS: Mapping[str, Proof] = {
    "records": shipping.records,
    "data": making.data,
    "code": making.code,
    "checks": making.checks,
    "environment": making.environment,
    "training": making.training,
    "report": making.report,
    "verdict": shipping.verdict,
    "registration": shipping.registration,
    "approval": shipping.approval,
    "traffic": shipping.traffic,
}
"""Each link by name, in the order of the chain; a proof says what it has proven, or raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link: `unproven` is what nothing contradicts, but nothing here proves."""

    name: str
    state: State
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All links of one deployment."""

    deployment: str
    links: tuple[Link, ...]

    @property
    def state(self) -> State:
        """Broken by one broken link, else unproven by one that is."""
        states = {link.state for link in self.links}
        return "broken" if "broken" in states else "unproven" if "unproven" in states else "proven"

    @property
    def first_broken(self) -> Link | None:
        """The first link that something contradicts."""
        return next((link for link in self.links if link.state == "broken"), None)


def walk(deployment: Deployment) -> Chain:
    """Prove every link, also those behind a broken one: each rests on its own evidence."""
    links = tuple(_proven(name, proof, deployment) for name, proof in LINKS.items())
    return Chain(deployment=deployment.name, links=links)


def _proven(name: str, proof: Proof, deployment: Deployment) -> Link:
    try:
        return Link(name=name, state="proven", told=proof(deployment))
    except Unproven as why:
        return Link(name=name, state="unproven", told=str(why))
    except GatewrightError as error:
        return Link(name=name, state="broken", told=str(error))
    except (KeyError, TypeError, ValueError) as error:
        # A hand-off with the right digest and another form was not written by us.
        return Link(name=name, state="broken", told=f"cannot be read: {type(error).__name__}: {error}")
