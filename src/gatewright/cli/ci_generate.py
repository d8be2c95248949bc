"""`gatewright ci generate`: the pipeline as files of GitHub Actions, GitLab CI or Jenkins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from gatewright.cli.options import Output, chosen_model, output_option, workspace_option
from gatewright.cli.output import say, say_json
from gatewright.cli.render import progress_for
from gatewright.domain.errors import StageFailed, UnusableInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.ci.pipeline import Form, Pipeline

Target = Literal["github", "gitlab", "jenkins"]
MARK = "Written by `gatewright ci generate"


@click.command()
@click.option("--target", type=click.Choice(["github", "gitlab", "jenkins"]), required=True, help="For which CI.")
@click.option(
    "--form",
    type=click.Choice(["own", "reusable"]),
    default="own",
    show_default=True,
    help="A pipeline of its own, or one that yours calls, includes or loads.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 with the difference if there is one.")
@click.option("--diff", "show", is_flag=True, help="Write nothing; print the difference.")
@click.option("--force", is_flag=True, help="Overwrite files that gatewright did not write.")
@workspace_option
@output_option
def generate(target: Target, form: Form, check: bool, show: bool, force: bool, root: Path, output: Output) -> None:
    """Write the pipeline of section `ci:`: the same stage commands in the same order for every CI.

    A file that is there and was not written by this command is left alone unless you say --force. With several models
    in gatewright.yaml name one: --model.

    \b
    Examples:
      gatewright ci generate --target github
      gatewright ci generate --target gitlab --form reusable
      gatewright ci generate --target github --check
    """
    from gatewright.ci.clock import too_rare

    top, folder = _place(root)
    pipeline, lease_s = _pipeline(root, folder)
    files = _files(pipeline, target, form, _suffix(root))
    found = {name: _present(top / name) for name in files}
    changed = [name for name in files if found[name] != files[name]]
    if output == "json":
        say_json({"files": files, "changed": changed, "written": not (check or show)})
    if check or show:
        difference = _difference(found, files)
        if difference and output == "text":
            say(difference)
        if changed and check:
            raise StageFailed(
                f"{', '.join(changed)} differs from what gatewright.yaml says",
                fix=f"gatewright ci generate --target {target}" + ("" if form == "own" else f" --form {form}"),
            )
        if output == "text" and not changed:
            say(f"{', '.join(files)}: as gatewright.yaml says")
        return
    _write(top, files, found, force=force)
    if output == "text":
        for name in files:
            say(f"{'wrote' if name in changed else 'as it was'}  {name}")
        _tell_next(pipeline, target, form, _suffix(root))
    if late := too_rare(pipeline, lease_s):
        progress_for(output).warning(late)


def _place(root: Path) -> tuple[Path, str]:
    """The root of the repository, and the folder of the workspace below it; outside of git they are one."""
    from gatewright.effects.git import top_of

    here = root.resolve()
    top = top_of(here) or here
    folder = here.relative_to(top).as_posix() if here != top else ""
    return top, folder


def _pipeline(root: Path, folder: str) -> tuple[Pipeline, float]:
    """The pipeline, and for how many seconds the canary keeps its weight without a look."""
    from gatewright.ci.pipeline import pipeline_of
    from gatewright.config.project import read_project
    from gatewright.workspace import CONFIG, Plugins

    project, _ = read_project(root / CONFIG, Plugins(), chosen_model())
    return pipeline_of(project, folder), project.rollout.lease.seconds


def _suffix(root: Path) -> str:
    """With several models each has files of its own."""
    from gatewright.config.project import read_configuration
    from gatewright.workspace import CONFIG, Plugins

    several = len(read_configuration(root / CONFIG, Plugins()).projects) > 1
    return f"-{chosen_model()}" if several else ""


def _files(pipeline: Pipeline, target: Target, form: Form, suffix: str) -> dict[str, str]:
    match target:
        case "github":
            from gatewright.ci.github import github_files

            return github_files(pipeline, form, suffix)
        case "gitlab":
            from gatewright.ci.gitlab import gitlab_files

            return gitlab_files(pipeline, form, suffix)
        case "jenkins":
            from gatewright.ci.jenkins import jenkins_files

            return jenkins_files(pipeline, form, suffix)


def _present(path: Path) -> str | None:
    """The text of a file that may be there; bytes that are no text differ from everything."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _write(top: Path, files: Mapping[str, str], found: Mapping[str, str | None], *, force: bool) -> None:
    from gatewright.effects.files import write_atomic

    for name, text in found.items():
        if text is not None and MARK not in text and not force:
            raise UnusableInput(
                f"{name} is there, and was not written by gatewright",
                fix="--form reusable writes a file that yours uses; --force overwrites it",
            )
    for name, text in files.items():
        if found[name] != text:
            write_atomic(top / name, text.encode())


def _difference(found: Mapping[str, str | None], files: Mapping[str, str]) -> str:
    from difflib import unified_diff

    parts: list[str] = []
    for name, text in files.items():
        before = (found[name] or "").splitlines(keepends=True)
        parts += unified_diff(before, text.splitlines(keepends=True), f"{name} (there)", f"{name} (gatewright.yaml)")
    return "".join(parts).rstrip("\n")


def _tell_next(pipeline: Pipeline, target: Target, form: Form, suffix: str) -> None:
    if target == "github" and (form == "reusable" or pipeline.after):
        from gatewright.ci.github import github_call

        say("\nCall it from your workflow:\n" + github_call(pipeline, suffix).rstrip())
    elif target == "gitlab" and form == "reusable":
        from gatewright.ci.gitlab import gitlab_include

        say("\nInclude it in your .gitlab-ci.yml:\n" + gitlab_include(suffix).rstrip())
