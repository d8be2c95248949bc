"""`gatewright validate`: stage 1, which opens the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import (
    Output,
    acceptance_options,
    acceptor,
    bootstrap_option,
    env_file_option,
    output_option,
    run_option,
    unless_empty,
    workspace_option,
    write_env,
)
from gatewright.cli.stages import one_stage

if TYPE_CHECKING:
    from gatewright.store.runs import RunFolder
    from gatewright.workspace import Workspace


@click.command()
@click.option(
    "--data-version",
    metavar="VERSION",
    callback=unless_empty,
    help="Train on this version, or on NAME@VERSION of either data set.  [default: the latest]",
)
@click.option(
    "--run-id",
    "told",
    metavar="RUN",
    callback=unless_empty,
    help="Open the run under this id, or go on with it: what data watch hands to a CI.",
)
@click.option(
    "--review",
    is_flag=True,
    envvar="GATEWRIGHT_REVIEW",
    help="Open it for a pull request: judged beside whatever goes on, never registered.  [env: GATEWRIGHT_REVIEW]",
)
@env_file_option
@workspace_option
@run_option
@bootstrap_option
@acceptance_options
@output_option
def validate(
    data_version: str | None,
    told: str | None,
    review: bool,
    env_file: Path | None,
    root: Path,
    run_id: str | None,
    bootstrap_by: str | None,
    accept: bool,
    by: str | None,
    output: Output,
) -> None:
    """Open a run on the latest data versions and check code, dependencies and data.

    Prints the run's id; the other stages find it by themselves while it is the only open one. The run follows the plan
    (see gatewright plan), except that it opens although nothing changed: you asked for it. --env-file gets the line
    GATEWRIGHT_RUN=RUN as soon as the run is open. An option whose value is empty was not given.

    \b
    Examples:
      gatewright validate
      gatewright validate --output json
      gatewright validate --run RUN            check an open run again
      gatewright validate --bootstrap-by ada   the first deployment
      gatewright validate --data-version "$DATA_VERSION" --env-file .gatewright/run.env
    """
    accepted_by = acceptor(accept, by)
    if env_file is not None:
        env_file.unlink(missing_ok=True)  # an earlier run's id must not reach the later jobs of this one
    if run_id and (told or data_version):
        raise BadCommand("--run checks an open run again, whose id and data are fixed", fix="leave one of them out")

    def open_new(workspace: Workspace) -> RunFolder:
        run = _found(workspace, told) or _opened(
            workspace, data_version, told, bootstrap_by=bootstrap_by, accepted_by=accepted_by, review=review
        )
        write_env(env_file, {"GATEWRIGHT_RUN": run.id})
        return run

    one_stage("validate", root, run_id, output, open_with=None if run_id else open_new)
    if run_id:
        write_env(env_file, {"GATEWRIGHT_RUN": run_id})


def _found(workspace: Workspace, told: str | None) -> RunFolder | None:
    """The run that was opened under this id before; BadCommand when it is no id."""
    from gatewright.rules.watching import RUN_ID

    if told is None:
        return None
    if not RUN_ID.fullmatch(told):
        raise BadCommand(f"{told!r} is no id of a run", fix="YYYYMMDD-HHMMSS-HEX, as gatewright data claims shows it")
    return workspace.runs.find(told)


def _opened(
    workspace: Workspace,
    data_version: str | None,
    told: str | None,
    *,
    bootstrap_by: str | None,
    accepted_by: str | None,
    review: bool,
) -> RunFolder:
    from gatewright.engine.choosing import chosen_data
    from gatewright.engine.opening import open_run
    from gatewright.engine.planning import plan_run

    planned = None
    if data_version is not None:
        planned = plan_run(workspace, accepted_by=accepted_by, data=chosen_data(workspace, data_version))
    return open_run(
        workspace, bootstrap_by=bootstrap_by, accepted_by=accepted_by, planned=planned, run_id=told, review=review
    )
