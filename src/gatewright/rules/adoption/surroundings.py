"""What stands around the model: the CI system, the model's name, requirements, registries."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from gatewright.domain.adoption import Gap, Guess, ModelFormat, Repository, Target

_HOST = re.compile(r"(?:[a-z+]+://)?(?:[^@/]*@)?([A-Za-z0-9.-]+)")
_HOSTS: dict[str, Target] = {"github": "github", "gitlab": "gitlab"}
_REQUIREMENTS = re.compile(r"(?:^|/)requirements[\w.-]*\.txt$|^requirements/[\w.-]+\.txt$")
_NOT_FOR_RUNNING = re.compile(r"dev|test|doc|lint|ci|build")
_MLFLOW = re.compile(r"MLFLOW_TRACKING_URI|mlflow\.set_tracking_uri|mlflow\.set_registry_uri")
_SAGEMAKER = re.compile(r"^\s*(?:import|from)\s+sagemaker\b|register_model\(|create_model_package", re.MULTILINE)
_SETTING = "checks.dependencies: {requirements: requirements.txt}"
_LOCK_FILES = ("pyproject.toml", "setup.cfg", "setup.py", "Pipfile", "environment.yml")


def ci_system(repository: Repository) -> Guess:
    """github, gitlab, jenkins or none: by the files that are there, else by the host of `origin`."""
    found: dict[Target, str] = {}
    for path in repository.ci_files:
        if path.startswith(".github/"):
            found.setdefault("github", path)
        else:
            found.setdefault("gitlab" if path.startswith(".gitlab") else "jenkins", path)
    if found:
        target, path = next(iter(found.items()))
        others = ", ".join(found.values()) if len(found) > 1 else ""
        why = f"there are {others}" if others else f"there is {path}"
        return Guess(value=target, why=why, sure=len(found) == 1)
    if repository.remote:
        match = _HOST.match(repository.remote)
        host = match[1].lower() if match else ""
        for word, target in _HOSTS.items():
            if word in host:
                return Guess(value=target, why=f"origin is on {host}", sure=True)
        return Guess(value="none", why=f"no CI file is here, and {host or 'origin'} is no host that is known")
    return Guess(value="none", why="no CI file is here, and no remote called origin")


def model_name(repository: Repository) -> Guess:
    """The folder's name as a name: small letters, digits, - and _."""
    name = re.sub(r"[^a-z0-9_-]+", "-", repository.name.lower()).strip("-_")[:64]
    if not name:
        return Guess(value="model", why="the folder's name has no letter in it")
    return Guess(value=name, why="the name of the folder")


def requirements(repository: Repository) -> tuple[Guess | None, Gap | None]:
    """The requirements file that an audit should read; or why there is none, and how to get one."""
    found = [path for path in repository.files if _REQUIREMENTS.search(path)]
    found.sort(key=lambda path: (path.count("/"), bool(_NOT_FOR_RUNNING.search(PurePosixPath(path).stem)), path))
    if found:
        others = f"; there are also {', '.join(found[1:4])}" if len(found) > 1 else ""
        return Guess(value=found[0], why=f"it is there{others}", sure=len(found) == 1), None
    source = next((name for name in _LOCK_FILES if name in repository.files), None)
    if source in ("pyproject.toml", "setup.cfg", "setup.py"):
        fix = (
            f"uv pip compile {source} -o requirements.txt, then checks.dependencies: {{requirements: requirements.txt}}"
        )
        return None, Gap(what=f"{source} names packages, but pip-audit reads a requirements file", fix=fix)
    fix = f"pip freeze > requirements.txt, then {_SETTING}"
    return None, Gap(what="no requirements file: dependencies are not audited", fix=fix)


def install_commands(
    repository: Repository, requirements: str | None, form: ModelFormat | None, version: str
) -> tuple[tuple[str, ...], ...]:
    """What a CI job runs before its stage: the team's requirements, and Gatewright unless they bring it.

    Without a `form` no model is loaded: the gates on a report need no extra.
    """
    text = repository.texts.get(requirements, "") if requirements else ""
    commands: list[tuple[str, ...]] = []
    if requirements:
        hashed = ("--require-hashes",) if "--hash=" in text else ()
        commands.append(("pip", "install", *hashed, "-r", requirements))
    if not re.search(r"^gatewright\b", text, re.MULTILINE):
        extras = "[checks,envoy,onnx]" if form == "onnx" else "[checks,envoy,serve]" if form else ""
        commands.append(("pip", "install", f"gatewright{extras}=={version}"))
    return tuple(commands)


def registry(repository: Repository, kinds: tuple[str, ...]) -> tuple[Guess, Gap | None]:
    """The registry that the code already uses, if it is one of the installed `kinds`; never the value of a setting."""
    for kind, pattern in (("mlflow", _MLFLOW), ("sagemaker", _SAGEMAKER)):
        place = _first(repository, pattern)
        if place is None:
            continue
        if kind in kinds:
            return Guess(value=kind, why=f"{place} uses it", sure=True), None
        what = f"{place} uses {kind}; this Gatewright has registries of kind {', '.join(kinds)}"
        gap = Gap(what=what, fix="models are registered in .gatewright; copy the promoted one after `gatewright run`")
        return Guess(value="local", why=f"{kind} is not among the installed kinds"), gap
    return Guess(value="local", why="no other registry is mentioned", sure=True), None


def _first(repository: Repository, pattern: re.Pattern[str]) -> str | None:
    """`file:line` of the first hit, code before settings."""
    for path in sorted(repository.texts, key=lambda path: (not path.endswith(".py"), path)):
        if match := pattern.search(repository.texts[path]):
            return f"{path}:{repository.texts[path].count(chr(10), 0, match.start()) + 1}"
    return None
