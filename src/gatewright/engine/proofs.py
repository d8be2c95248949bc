"""Models and data as they are now, proven to be what was recorded."""

from __future__ import annotations

from pathlib import Path

from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.domain.lineage import Artifact, DataVersion, ModelVersion
from gatewright.effects.files import measure_artifact
from gatewright.ports import CarriesModels
from gatewright.workspace import Workspace


def keep_model(workspace: Workspace, artifact: Artifact) -> None:
    """Have the model where the jobs on other machines find it, if the registry carries models."""
    if isinstance(workspace.registry, CarriesModels):
        workspace.registry.keep(artifact)


def model_folder(workspace: Workspace, artifact: Artifact) -> Path:
    """The folder of a model; brought here when another machine made it and the registry carries models."""
    folder = workspace.root / artifact.uri
    if not folder.is_dir() and isinstance(workspace.registry, CarriesModels):
        workspace.registry.bring(artifact)
    return folder


def proven_artifact(workspace: Workspace, recorded: Artifact) -> Artifact:
    """An artifact measured again, its uri absolute; DigestChanged when a byte differs."""
    found = measure_artifact(model_folder(workspace, recorded))
    if found.digest != recorded.digest:
        raise DigestChanged(f"the model in {recorded.uri}", recorded=recorded.digest, found=found.digest)
    return found


def proven_version(workspace: Workspace, role: str, version: ModelVersion) -> Artifact:
    """A registered version's artifact measured again, its uri absolute; UnusableInput when a byte differs."""
    found = measure_artifact(model_folder(workspace, version.artifact))
    if found.digest != version.artifact.digest:
        raise UnusableInput(
            f"the {role} in {version.artifact.uri} is not the registered version {version.number}: "
            f"{found.digest} instead of {version.artifact.digest}",
            fix="restore the registry's files",
        )
    return found


def golden_version(workspace: Workspace) -> ModelVersion | None:
    """The pinned second baseline of `gates.golden`."""
    project = workspace.project
    if project.gates is None or project.gates.golden is None:
        return None
    number = project.gates.golden.version
    version = workspace.registry.numbered(project.model, number)
    if version is None:
        raise UnusableInput(
            f"gates.golden.version: {project.model} has no version {number}", fix="gatewright status shows the versions"
        )
    return version


def laid_out(workspace: Workspace, version: DataVersion, into: Path) -> Path:
    """The files of a data version below `into`, their bytes proven; returns the file or folder to read."""
    source = workspace.sources.get(version.kind)
    if source is None:
        raise UnusableInput(f"no source of kind {version.kind!r} is installed", fix="see docs/data.md")
    return source.read(version, into)
