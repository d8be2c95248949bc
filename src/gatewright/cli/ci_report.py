"""`gatewright ci report`: one comment on the pull or merge request, and the summary of the step."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from gatewright.cli.failures import BadCommand
from gatewright.cli.options import Output, output_option, run_option, workspace_option
from gatewright.cli.output import say, say_json
from gatewright.cli.render import progress_for
from gatewright.domain.errors import GatewrightError, ServiceFailed, UnusableInput
from gatewright.domain.forge import LIMITS, Comment, ForgeKind

if TYPE_CHECKING:
    from gatewright.ports import Forge
    from gatewright.rules.ci_job import CiJob

_TOKENS: dict[ForgeKind, str] = {"github": "GITHUB_TOKEN", "gitlab": "GATEWRIGHT_GITLAB_TOKEN"}
_NAMES: dict[ForgeKind, str] = {"github": "repository", "gitlab": "project"}
_JENKINS_FILE = Path("gatewright-report.md")
_EVENT = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of the comment: `created`, `updated`, `unchanged`, or `none` and why."""

    posted: str
    url: str = ""
    why: str = ""


@click.command("report")
@workspace_option
@run_option
@click.option(
    "--forge", type=click.Choice(get_args(ForgeKind)), help="Where the comment goes.  [default: as the CI tells]"
)
@click.option("--repository", metavar="NAME", help="OWNER/NAME, or GROUP/PROJECT.  [default: that of the job]")
@click.option(
    "--change", type=click.IntRange(1), metavar="N", help="Pull or merge request.  [default: that of the job]"
)
@click.option("--url", metavar="URL", help="GitHub: of the API; GitLab: of GitLab.  [default: that of the job]")
@click.option(
    "--token-env",
    metavar="NAME",
    help="The environment variable with the token.  [default: GITHUB_TOKEN, GATEWRIGHT_GITLAB_TOKEN]",
)
@click.option("--link", "links", multiple=True, metavar="TEXT=URL", help="One more link below. May be repeated.")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Write the Markdown there, too.")
@click.option("--summary/--no-summary", default=True, help="Append it to the step summary, where there is one.")
@click.option("--comment/--no-comment", default=True, help="Comment, where there is a pull or merge request.")
@click.option("--required", is_flag=True, help="Fail when there is no comment in the end, whatever the reason.")
@click.option("--dry-run", is_flag=True, help="Only print the Markdown; nobody is asked, nothing is written.")
@output_option
def report(root: Path, run_id: str | None, links: tuple[str, ...], dry_run: bool, output: Output, **told: Any) -> None:
    """Tell the pull or merge request how its run stands: one comment, updated in place, and the step summary.

    Verdict, gates, worst slices, data, plan, latency, links; also of a run that stopped before its gates, and of none.
    Without --run it is the newest run of this commit. Exit 0 whatever the verdict is, and with a warning where the
    token may only read, as in pull requests from forks.

    \b
    Examples:
      gatewright ci report
      gatewright ci report --run "$GATEWRIGHT_RUN" --required
      gatewright ci report --link "HTML report=$REPORT_URL"
      gatewright ci report --dry-run
      gatewright ci report --forge gitlab --repository acme/models --change 7 --url https://git.example
    """
    from gatewright.cli.ci_content import content
    from gatewright.rules.markdown_text import marker
    from gatewright.web.ci_report import ci_markdown, standing

    job = _job(told)
    found = replace(content(root, run_id or None), links=(*_own_links(job), *map(_link, links)))
    mark = marker("gatewright", found.model)
    limit = LIMITS[job.forge or "github"] - len(mark) - 1
    page = ci_markdown(found, limit)
    if dry_run:
        posted, written = Posted(posted="none", why="--dry-run"), []
        if output == "text":
            say(page.rstrip("\n"))
    else:
        written = list(map(str, _write(page, root, job, told["file"], told["summary"])))
        posted = _post(root, job, Comment(marker=mark, text=page, change=job.change), output, told)
    if output == "json":
        run = found.subject.run if found.subject is not None else None
        state = {"model": found.model, "run": run, "state": standing(found)}
        comment = {"posted": posted.posted, "url": posted.url or None, "why": posted.why or None}
        say_json({**state, "comment": comment, "written": written, "markdown": page})
    elif not dry_run:
        place = f" {posted.url}" if posted.url else f" ({posted.why})"
        say(f"comment: {posted.posted}{place}")
        for name in written:
            say(f"written: {name}")


def _job(told: dict[str, Any]) -> CiJob:
    """The job as the environment tells, and as the options correct it."""
    from gatewright.rules.ci_job import CiJob, job_in

    job = job_in(os.environ, _event())
    forge: ForgeKind | None = told["forge"] or job.forge
    if forge != job.forge:
        # What the job tells is of another service.
        job = CiJob(system=job.system, forge=forge, run_url=job.run_url, summary=job.summary, commit=job.commit)
    if forge is None and (told["repository"] or told["url"]):
        raise BadCommand("whose repository it is, is not told", fix="--forge github or --forge gitlab")
    chosen = {"repository": told["repository"], "change": told["change"], "url": told["url"]}
    return replace(job, **{name: value for name, value in chosen.items() if value})


def _event() -> dict[str, Any]:
    """The document of GitHub about what started the job; nothing where it cannot be read."""
    from gatewright.domain.documents import read_json

    path = os.environ.get("GITHUB_EVENT_PATH", "")
    try:
        with Path(path).open("rb") as stream:
            return read_json(stream.read(_EVENT))
    except (OSError, ValueError, RecursionError):
        return {}


def _own_links(job: CiJob) -> list[tuple[str, str]]:
    """Where the job can be seen, and what it kept."""
    if not job.run_url:
        return []
    kept = {"github": "#artifacts", "gitlab": "/artifacts/browse", "jenkins": "artifact/"}[job.system]
    return [("job", job.run_url), ("artifacts", job.run_url + kept)]


def _link(text: str) -> tuple[str, str]:
    from gatewright.rules.ci_links import safe_link

    name, sign, url = text.partition("=")
    if not (name and sign and safe_link(url)):
        raise BadCommand(f"--link {text!r} is no TEXT=URL", fix="--link 'HTML report=https://HOST/PATH'")
    return name, url


def _write(page: str, root: Path, job: CiJob, file: Path | None, summary: bool) -> list[Path]:
    """The files that hold the report now: Jenkins has no other place for it than one of its own."""
    from gatewright.effects.files import write_atomic

    written = []
    if file is None and job.system == "jenkins":
        file = root / _JENKINS_FILE
    if file is not None:
        write_atomic(file, page.encode())
        written.append(file)
    if summary and job.summary:
        with Path(job.summary).open("a", encoding="utf-8") as stream:
            stream.write(page)
        written.append(Path(job.summary))
    return written


def _post(root: Path, job: CiJob, comment: Comment, output: Output, told: dict[str, Any]) -> Posted:
    """Comment; where that cannot be, say so, and only with --required as an error."""
    if not told["comment"]:
        return Posted(posted="none", why="--no-comment")
    excuse: GatewrightError | None = _excuse(job, told["token_env"])
    if excuse is None:
        try:
            made = _forge(root, job, told["token_env"]).comment(comment)
            return Posted(posted=made.posted, url=made.url)
        except ServiceFailed as error:
            if error.status != 403 and not (job.fork and error.status in (401, 404)):
                raise
            excuse = error
    if told["required"]:
        raise excuse
    if job.change is not None:
        kept = "; the step summary has it" if job.summary and told["summary"] else ""
        progress_for(output).warning(f"the report is no comment: {excuse}{kept}; {excuse.fix}")
    return Posted(posted="none", why=str(excuse))


def _excuse(job: CiJob, token_env: str | None) -> UnusableInput | None:
    """Why nobody can be asked."""
    if job.forge is None or not job.repository:
        return UnusableInput("no repository is known here", fix="--forge, --repository and --change say where it goes")
    if job.change is None:
        return UnusableInput("this is no job of a pull or merge request", fix="--change N names one")
    name = token_env or _TOKENS[job.forge]
    if not os.environ.get(name, "").strip():
        return UnusableInput(
            f"the environment variable {name} holds no token", fix="hand it to the job: docs/ci-reports.md"
        )
    return None


def _forge(root: Path, job: CiJob, token_env: str | None) -> Forge:
    from gatewright.ports import Context
    from gatewright.store.database import Database
    from gatewright.workspace import Plugins, SystemClock

    assert job.forge is not None
    plugins = Plugins()
    kind = plugins.options("forges", job.forge)
    assert kind is not None, "both forges come with Gatewright"
    known = {_NAMES[job.forge]: job.repository, "token": token_env or _TOKENS[job.forge]}
    options = kind(**known, **({"url": job.url} if job.url else {}))
    # A forge keeps nothing, and the state of the workspace may not even be readable here.
    context = Context(root=root, model="", database=Database(Path(":memory:")), clock=SystemClock())
    forge: Forge = plugins.build("forges", job.forge, options, context)
    return forge
