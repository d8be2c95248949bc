"""Options that commands share, and the way into the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewright.store.runs import Runs
    from gatewright.workspace import Workspace

Output = Literal["text", "json"]
OutputOrMarkdown = Literal["text", "json", "markdown"]


def workspace_folder(what: str) -> Callable[[Any], Any]:
    """The option `-C` for the folder that holds `what`."""
    return click.option(
        "-C",
        "--workspace",
        "root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help=f"The folder that holds {what}.  [default: .]",
    )


_MODEL = "gatewright.model"


def _remember_model(context: click.Context, _parameter: click.Parameter, name: str | None) -> None:
    if name:
        context.meta[_MODEL] = name


def workspace_option(command: Any) -> Any:
    """The options `-C` and `--model`: which workspace, and which of its models."""
    model = click.option(
        "--model",
        envvar="GATEWRIGHT_MODEL",
        metavar="NAME",
        expose_value=False,
        callback=_remember_model,
        help="Which model; needed only when gatewright.yaml has several.  [env: GATEWRIGHT_MODEL]",
    )
    return workspace_folder("gatewright.yaml")(model(command))


def unless_empty(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A value that a CI hands over empty is one that nobody gave."""
    return text or None


env_file_option = click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what later jobs of a CI need into this file, as lines NAME=value.",
)
output_option = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="text for people, json for programs."
)
output_or_markdown_option = click.option(
    "--output",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="text for people, json for programs, markdown for the comment of a pull request.",
)
run_option = click.option(
    "--run",
    "run_id",
    envvar="GATEWRIGHT_RUN",
    metavar="RUN",
    help="Which run; needed only when several are open.  [env: GATEWRIGHT_RUN]",
)
skip_option = click.option("--skip", multiple=True, metavar="GATE", help="Leave a gate out; recorded. May be repeated.")
bootstrap_option = click.option(
    "--bootstrap-by",
    metavar="NAME",
    callback=unless_empty,
    help="Who allows the first deployment, which has no baseline to compare with.",
)


def acceptance_options(command: Any) -> Any:
    """The options with which somebody lets data through that breaks its readers."""
    accept = click.option(
        "--accept-schema-change",
        "accept",
        is_flag=True,
        help="Let data through whose columns were dropped, renamed or retyped; recorded. Needs --by.",
    )
    by = click.option("--by", "by", metavar="NAME", help="Who accepts it.")
    return accept(by(command))


def acceptor(accept: bool, by: str | None) -> str | None:
    """Who accepts a breaking change of the data; BadCommand for one option without the other."""
    from gatewright.cli.failures import BadCommand

    if accept != (by is not None):
        raise BadCommand("--accept-schema-change and --by belong together", fix="--accept-schema-change --by NAME")
    return by


def actor_option(flag: str, name: str, what: str) -> Callable[[Any], Any]:
    """The option that says who does it; the user's name, which a container may lack, unless told."""
    return click.option(
        flag,
        name,
        envvar=["GATEWRIGHT_ACTOR", "USER", "LOGNAME"],
        default="unknown",
        metavar="NAME",
        help=f"{what}  [default: $GATEWRIGHT_ACTOR, else $USER]",
    )


def chosen_model() -> str | None:
    """The model that the command line or the environment names."""
    return click.get_current_context().meta.get(_MODEL)


def opened(root: Path, run_id: str | None = None) -> Workspace:
    """The workspace in `root`, with everything in it; with `run_id`, for the model of that run."""
    from gatewright.workspace import Workspace

    return Workspace.open(root, chosen_model() or (model_of_run(root, run_id) if run_id else None))


def opened_for_any(root: Path, *, here_only: bool = False) -> Workspace:
    """The workspace in `root` for what concerns all of its models: that of the named model, else of the first.

    `here_only`: a shared state as this machine has seen it last, so that nobody has to be asked.
    """
    from gatewright.config.project import read_configuration
    from gatewright.workspace import CONFIG, Plugins, Workspace

    model = chosen_model() or next(iter(read_configuration(root / CONFIG, Plugins()).projects))
    return Workspace.open(root, model, here_only=here_only)


def models_served_here(root: Path) -> list[str]:
    """The models of the workspace in `root` whose gateway runs on this machine."""
    from gatewright.config.project import read_configuration
    from gatewright.workspace import CONFIG, Plugins

    plugins = Plugins()
    projects, gateways = read_configuration(root / CONFIG, plugins).projects, plugins.names("gateways")
    return [model for model, project in projects.items() if project.serving.kind in gateways]


def known_runs(root: Path) -> Runs:
    """The runs of the workspace in `root`; where the state is shared, also those of other machines."""
    from gatewright.store.runs import Runs

    follow_state(root)
    return Runs(root / ".gatewright" / "runs")


def follow_state(root: Path) -> None:
    """Where the state is shared, lay here what other machines have changed; a workspace is not opened for it."""
    config = root / "gatewright.yaml"
    if not config.is_file() or b"state:" not in config.read_bytes():
        return
    from gatewright.config.project import read_configuration
    from gatewright.store.opening import open_state
    from gatewright.workspace import Plugins

    section = next(iter(read_configuration(config, Plugins()).projects.values())).state
    if section.kind != "local":
        open_state(root.resolve(), section).close()


def model_of_run(root: Path, run_id: str) -> str:
    """The model that a run is for."""
    model: str = known_runs(root).get(run_id).need("lock", "validate").body["model"]
    return model


def write_env(path: Path | None, lines: dict[str, str]) -> None:
    """Write `lines` for the later jobs of a CI; each value is ours, so none holds a line break."""
    from gatewright.effects.files import write_atomic

    if path is not None:
        write_atomic(path, "".join(f"{name}={value}\n" for name, value in lines.items()).encode())
