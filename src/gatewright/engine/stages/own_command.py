"""`evaluation.command`: the team's own way to predict, run once for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gatewright.domain.errors import StageFailed
from gatewright.domain.lineage import Artifact
from gatewright.effects.files import remove
from gatewright.ports import Job, Progress
from gatewright.workspace import Workspace

_TIMEOUT_S = 3600.0


def predict(
    workspace: Workspace, folder: Path, progress: Progress, models: Mapping[str, Artifact], data: Path
) -> dict[str, Path]:
    """Where below `folder` each model's answers are; StageFailed when the command fails.

    What it wrote is read by the scoring.
    """
    command = workspace.project.evaluation.command or ()
    found = {}
    for role, artifact in models.items():
        output = folder / "answers" / role
        output.parent.mkdir(parents=True, exist_ok=True)
        remove(output)
        log = folder / "logs" / f"predict-{role}.log"
        remove(log)
        values = {"model.path": artifact.uri, "model.role": role, "data.path": str(data), "output.path": str(output)}
        result = workspace.executor.run(
            Job(argv=filled(command, values), cwd=workspace.root, log=log, timeout_s=_TIMEOUT_S), progress
        )
        if result.code != 0:
            ended = f"did not end within {_TIMEOUT_S:.0f} s" if result.ended == "timeout" else f"failed ({result.code})"
            raise StageFailed(f"evaluation.command {ended} for the {role}", fix=f"see {log}", final=False)
        found[role] = output
    return found


def filled(command: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The configured argv with its placeholders filled; each word stays one word."""
    words = []
    for word in command:
        for name, value in values.items():
            word = word.replace("{" + name + "}", value)
        words.append(word)
    return tuple(words)
