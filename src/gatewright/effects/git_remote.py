"""git and its remotes: fetching what others pushed, and pushing new files on a branch without touching the user's own.

Nothing here asks for a password: a remote that wants one fails at once.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.effects.failpoints import failpoint

_TIMEOUT_S = 120.0
QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
WHO = {"NAME": "gatewright", "EMAIL": "gatewright@localhost"}


def fast_forward(root: Path) -> str | None:
    """Fetch, and move a clean checkout forward to its upstream; the new commit, None when there is nothing new.

    UnusableInput for a checkout that is not clean, is on no branch with an upstream, or went another way.
    """
    if _run(root, ["status", "--porcelain", "--untracked-files=no"]).strip():
        raise UnusableInput(
            "the checkout has changes that are not committed: it is not moved forward",
            fix="commit them, or watch in a clone of its own",
        )
    if _asked(root, ["rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"]) is None:
        raise UnusableInput(
            "this checkout follows no branch of a remote", fix="git branch --set-upstream-to=REMOTE/BRANCH"
        )
    before = _run(root, ["rev-parse", "HEAD"])
    _run(root, ["fetch", "--quiet"])
    if _asked(root, ["merge", "--ff-only", "--quiet", "@{upstream}"]) is None:
        raise UnusableInput(
            "the checkout cannot simply move forward: it has commits or files that its upstream has not",
            fix="push or rebase them, or watch in a clone of its own",
        )
    after = _run(root, ["rev-parse", "HEAD"])
    return after if after != before else None


def at_upstream(root: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Those of `paths` (below `root`) that the upstream of this branch does not hold as they are here."""
    base = _base(root)
    return tuple(path for path in paths if _asked(root, ["rev-parse", f"{base}:./{path}"]) != _hash(root, path))


def push_files(root: Path, paths: Sequence[str], *, remote: str, branch: str, message: str, at: datetime) -> bool:
    """Push a commit with `paths` as they are here, on top of the upstream, as `branch`; whether it is new there.

    Working tree, index and branches of the user are not touched. The same files on that branch already are fine;
    WorldFailed when it holds others, or when the remote refuses.
    """
    _run(root, ["check-ref-format", f"refs/heads/{branch}"])
    if (there := _remote_commit(root, remote, branch)) is not None:
        _run(root, ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, f"refs/heads/{branch}"])
        others = [path for path in paths if _asked(root, ["rev-parse", f"{there}:./{path}"]) != _hash(root, path)]
        if others:
            raise WorldFailed(
                f"the branch {branch} of {remote} holds another {others[0]}", fix="look at it, and delete it there"
            )
        return False
    commit = _commit(root, paths, message, at)
    failpoint("before-push")
    _run(root, ["push", "--quiet", "--no-verify", remote, f"{commit}:refs/heads/{branch}"])
    failpoint("after-push")
    return True


def remote_address(root: Path, remote: str) -> str:
    """The URL of `remote` as git knows it, without user and password; empty when there is none."""
    url = _asked(root, ["remote", "get-url", remote]) or ""
    scheme, divider, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if divider else url


def _commit(root: Path, paths: Sequence[str], message: str, at: datetime) -> str:
    """A commit on the base that holds `paths`; the same every time while the base is the same."""
    base, prefix = _base(root), _run(root, ["rev-parse", "--show-prefix"])
    with tempfile.TemporaryDirectory(prefix="gatewright-index-") as folder:
        moment = f"{int(at.timestamp())} +0000"
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        env |= {f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in WHO.items()}
        env |= {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
        _run(root, ["read-tree", base], env)
        for path in paths:
            blob = _run(root, ["hash-object", "-w", "--", path], env)
            _run(root, ["update-index", "--add", "--cacheinfo", f"100644,{blob},{prefix}{path}"], env)
        tree = _run(root, ["write-tree"], env)
        return _run(root, ["commit-tree", tree, "-p", base, "-m", message], env)


def _base(root: Path) -> str:
    upstream = _asked(root, ["rev-parse", "--verify", "--quiet", "@{upstream}^{commit}"])
    return upstream or _run(root, ["rev-parse", "HEAD"])


def _hash(root: Path, path: str) -> str:
    return _run(root, ["hash-object", "--", path])


def _remote_commit(root: Path, remote: str, branch: str) -> str | None:
    listed = _run(root, ["ls-remote", "--heads", remote, f"refs/heads/{branch}"])
    return listed.split()[0] if listed else None


def _run(root: Path, words: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """What git says; WorldFailed with its own words when it fails."""
    done = _git(root, words, env)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["nothing"]
        said = next((line for line in lines if line.startswith(("fatal:", "error:", " !"))), lines[-1])
        raise WorldFailed(f"git {words[0]} failed: {without_secrets(said)}", fix=f"try it by hand in {root}")
    return done.stdout.strip()


def _asked(root: Path, words: Sequence[str]) -> str | None:
    done = _git(root, words, None)
    return done.stdout.strip() if done.returncode == 0 else None


def _git(root: Path, words: Sequence[str], env: Mapping[str, str] | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **QUIET, **(env or {})},
        )
    except FileNotFoundError as error:
        raise WorldFailed("git is not installed", fix="install git") from error
    except subprocess.TimeoutExpired as error:
        raise WorldFailed(f"git {words[0]} took more than {_TIMEOUT_S:.0f} s", fix="is the remote up?") from error


def without_secrets(said: str) -> str:
    """A line of git without user and password of an URL."""
    words = (word if "://" not in word else word.replace(_secret(word), "", 1) for word in said.split(" "))
    return " ".join(words)


def _secret(url: str) -> str:
    user, at, _ = url.partition("://")[2].rpartition("@")
    return user + at
