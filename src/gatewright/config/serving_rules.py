"""What cannot be seen where traffic is divided by a service: there is no gateway here that tells of requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatewright.config.nodes import Document
from gatewright.config.problems import Path, dotted
from gatewright.config.values import Values
from gatewright.domain.errors import Problem

_OF_PREDICTIONS = ("quality", "drift", "slices", "shadow")


def unseen(document: Document, gateways: Sequence[str], serving: str, evidence: str) -> Iterator[Problem]:
    """Problems of a model whose kind of serving has no gateway on this machine."""
    if serving in gateways:
        return
    whole = Values(document.value)
    if evidence == "access-log":
        path: Path = ("evidence", "kind") if whole.at(("evidence", "kind")) else ("serving", "kind")
        what = f"the access log is that of a gateway, and {serving} has none here: write evidence: {{kind: cloudwatch}}"
        yield _problem(document, path, what)
    for name in _OF_PREDICTIONS:
        if whole.at(("rollout", name)) not in (None, []):
            what = f"is observed by what our own model servers log, and {serving} runs none of them: remove it"
            yield _problem(document, ("rollout", name), what)


def _problem(document: Document, path: Path, what: str) -> Problem:
    return Problem(where=document.place(path), field=dotted(path), what=what)
