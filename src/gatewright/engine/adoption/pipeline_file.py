"""The pipeline file of the CI system, as `gatewright ci generate` would write it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatewright.rules.adoption.proposal import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDraft:
    """One pipeline file."""

    path: str
    data: bytes
    what: str


def pipeline_drafts(root: Path, config: str, proposal: Proposal) -> tuple[PipelineDraft, ...]:
    """The files for the CI system of the proposal, made from the text of gatewright.yaml."""
    del root, config, proposal
    return ()
