"""gatewright.yaml as text: what is not a default, and what a reader should see, each with its reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from gatewright.rules.adoption.columns import floor_text
from gatewright.rules.adoption.proposal import Proposal

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*|--?[A-Za-z][A-Za-z0-9-]*")
_WORDS = {"true", "false", "null", "none", "yes", "no", "on", "off", "y", "n"}
_COMMAND = ("python", "training/train.py", "--data", "{data.path}", "--output-dir", "{output.dir}")


def config_text(proposal: Proposal) -> str:
    """The whole file; valid also where something is missing, which a comment then says."""
    return "\n".join(_lines(proposal)) + "\n"


def _lines(proposal: Proposal) -> Iterator[str]:
    yield "# Written by `gatewright init`. Every key: docs/configuration.md. Check it: gatewright config check"
    yield f"model: {scalar(proposal.model)}"
    yield ""
    yield "data:"
    yield f"  train: {scalar(proposal.train_name)}{_missing(proposal.train_file, 'no data file was found')}"
    yield f"  evaluation: {scalar(proposal.evaluation_name)}"
    yield "  schema: data/schema.yaml"
    yield ""
    yield from _checks(proposal)
    yield ""
    yield "train:"
    missing = _missing(proposal.command, "no training script was found: this one has to be written")
    yield f"  command: {flow(proposal.command or _COMMAND)}{missing}"
    yield f"  format: {proposal.format}  # it must leave model.{proposal.format} and signature.json: docs/training.md"
    yield "  timeout: 2h"
    yield ""
    yield "evaluation:"
    yield f"  label: {scalar(proposal.label or 'label')}{_missing(proposal.label, 'name the column that is predicted')}"
    yield f"  id: {scalar(proposal.id)}"
    if proposal.slices:
        yield f"  slices: {flow(proposal.slices)}"
    if proposal.attributes:
        positive = max(proposal.facts.classes) if proposal.facts and proposal.facts.classes else 1
        yield ""
        yield "fairness:"
        yield f"  attributes: {flow(proposal.attributes)}"
        yield f"  positive: {positive}  # the prediction that counts as selected"
    yield ""
    yield from _gates(proposal)
    yield ""
    yield f"registry: {{kind: {proposal.registry}}}"
    yield ""
    yield "# The canary: 5 % of the traffic for 30 min, 25 % for 4 h, 50 % for 24 h. Other steps, say, for a first try:"
    if proposal.target == "none":
        yield "# rollout: {steps: [{weight: 50, hold: 5m}]}"
    else:
        yield "rollout:"
        yield "  # steps: [{weight: 50, hold: 5m}]"
        yield "  lease: 45m  # a canary that nobody looks at loses its weight after this; the pipeline looks every 15m"
        yield ""
        yield from _ci(proposal)


def _ci(proposal: Proposal) -> Iterator[str]:
    yield f"ci:  # change it, then: gatewright ci generate --target {proposal.target}"
    yield f"  branch: {scalar(proposal.branch or 'main')}"
    yield f"  paths: {flow(_paths(proposal))}"
    if proposal.install:
        yield "  install:"
        yield from (f"    - {flow(words)}" for words in proposal.install)


def _paths(proposal: Proposal) -> tuple[str, ...]:
    code = [path if path.endswith(".py") else f"{path}/**" for path in proposal.lint or ("training",)]
    return (*code, "data/versions/**")


def _checks(proposal: Proposal) -> Iterator[str]:
    yield "checks:"
    if proposal.lint:
        yield f"  lint: {{paths: {flow(proposal.lint)}}}"
    else:
        yield "  lint: {paths: [training]}"
    if proposal.requirements:
        yield f"  dependencies: {{requirements: {scalar(proposal.requirements)}}}"
    else:
        yield "  dependencies: none  # no requirements file was found, so nothing is audited"


def _gates(proposal: Proposal) -> Iterator[str]:
    yield "gates:"
    yield "  mode: statistical  # decides on evidence; point: by arithmetic on the measured numbers"
    if proposal.facts is None:
        yield "  overall: {margin: 0.02, min: 0.5}  # min decides alone on the first deployment: set it"
    else:
        floor, why = floor_text(proposal.facts)
        yield f"  overall: {{margin: 0.02, {floor}}}  # decides alone on the first deployment: {why}"
    yield (
        "  slices: {max_drop: 0.04, min_rows: 100}"
        if proposal.slices
        else ("  slices: none  # no column of few values was found: name evaluation.slices")
    )
    yield (
        "  fairness: {max: 0.2}"
        if proposal.attributes
        else ("  fairness: none  # no column sounds sensitive: name fairness.attributes")
    )
    yield "  latency: {p99: 5s}"


def flow(words: Sequence[str]) -> str:
    """A list of texts on one line of YAML."""
    return f"[{', '.join(map(scalar, words))}]"


def scalar(text: str) -> str:
    """A text as YAML: plain where no reader could take it for something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _missing(found: object, what: str) -> str:
    return "" if found else f"  # MISSING: {what}"
