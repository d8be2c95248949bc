"""The lines that a training script lacks to say what its model takes and answers."""

from __future__ import annotations

import json

from gatewright.rules.adoption.proposal import Proposal


def signature_lines(proposal: Proposal) -> str:
    """Python that writes signature.json for a table `features` (pandas) and a folder `output_dir`."""
    facts = proposal.facts
    task = facts.task if facts else "binary"
    label = json.dumps(proposal.label or "label")
    answers = "FP64" if task == "regression" else "INT64"
    classes = list(facts.classes) if facts and facts.classes else [0, 1]
    lines = [
        "import json",
        "",
        "signature = {",
        f'    "format": "{proposal.format}",',
        f'    "task": "{task}",',
        '    "inputs": [{"name": name, "datatype": "FP64"} for name in features.columns],',
        f'    "outputs": [{{"name": {label}, "datatype": "{answers}"}}],',
        *([] if task == "regression" else [f'    "classes": {classes},']),
        '    "example": {name: float(value) for name, value in features.median().items()},',
        "}",
        '(output_dir / "signature.json").write_text(json.dumps(signature))',
    ]
    return "\n".join(lines)
