"""A ref of a remote as a tree of small files: read, committed and pushed by compare-and-set, no work tree touched.

Everything goes through the user's own repository, so that its remotes and credentials hold; only objects and a ref of
the same name, which keeps them from being collected, are added to it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.effects.failpoints import failpoint
from gatewright.effects.git_remote import QUIET, WHO, without_secrets

_ABSENT = "0" * 40
_TRIES = 5
_OVERTAKEN = ("stale info", "cannot lock ref", "failed to update ref", "incorrect old value", "fetch first")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRef:
    """The ref `ref` of `remote`, asked from the repository that `root` is in; `timeout_s` bounds each command."""

    root: Path
    remote: str
    ref: str
    timeout_s: float = 30.0

    def prefix(self) -> str:
        """Where `root` lies in its repository, `` or `folder/`; UnusableInput outside of one, or without the remote."""
        if self._git(["rev-parse", "--git-dir"]).returncode:
            raise UnusableInput(f"{self.root} is in no git repository", fix="git init, or state: {kind: local}")
        if self._git(["remote", "get-url", "--", self.remote]).returncode:
            raise UnusableInput(
                f"this repository has no remote {self.remote!r}",
                fix=f"git remote add {self.remote} URL, or state.remote",
            )
        return self._run(["rev-parse", "--show-prefix"]).decode().strip()

    def bring(self) -> str | None:
        """The commit that the remote has there now, its objects fetched; None when there is no such ref."""
        for _ in range(_TRIES):
            tip = self.tip()
            if tip is None or self.holds(tip):
                return tip
            fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--refmap="]
            self._run([*fetch, "--", self.remote, self.ref])
            if self.holds(tip):  # else it has moved meanwhile, and its past was cut off
                self._keep(tip)
                return tip
        raise WorldFailed(f"{self.ref} of {self.remote} moves faster than it can be fetched", fix="try again")

    def tip(self) -> str | None:
        """The commit that the remote has there now."""
        listed = self._run(["ls-remote", "--", self.remote, self.ref]).decode().split()
        return listed[0] if listed else None

    def holds(self, commit: str) -> bool:
        """Whether the objects of `commit` are here."""
        return self._git(["cat-file", "-e", f"{commit}^{{tree}}"]).returncode == 0

    def files(self, commit: str) -> dict[str, str]:
        """Path → blob of every file of `commit`."""
        listed = self._run(["ls-tree", "-r", "-z", "--full-tree", commit]).decode()
        entries = (entry.partition("\t") for entry in listed.split("\0") if entry)
        return {path: facts.split()[2] for facts, _, path in entries}

    def changes(self, before: str, after: str) -> dict[str, str | None]:
        """Path → blob of every file that differs between two commits; None when it is gone."""
        raw = ["diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev"]
        words = self._run([*raw, before, after]).decode().split("\0")
        found: dict[str, str | None] = {}
        for facts, path in zip(words[::2], words[1::2], strict=False):
            blob = facts.split()[3]
            found[path] = None if blob == _ABSENT else blob
        return found

    def read(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Blob → its bytes."""
        wanted = list(dict.fromkeys(blobs))
        said = self._run(["cat-file", "--batch"], "".join(f"{blob}\n" for blob in wanted).encode()) if wanted else b""
        found, at = {}, 0
        for blob in wanted:
            end = said.index(b"\n", at)
            size = int(said[at:end].split()[2])
            found[blob] = said[end + 1 : end + 1 + size]
            at = end + size + 2
        return found

    def depth(self, commit: str) -> int:
        """How many commits led to it, itself counted."""
        return int(self._run(["rev-list", "--count", commit]))

    def commit(
        self,
        files: Mapping[str, bytes | None],
        *,
        base: str | None,
        message: str,
        dropped: Callable[[str], bool] | None = None,
    ) -> str:
        """A commit with the files of `base` as changed by `files` (None removes one).

        With `dropped` it has no parent, and those files of `base` for which that says so are left out.
        """
        gone = {path: None for path in (self.files(base) if base and dropped else ()) if dropped and dropped(path)}
        with tempfile.TemporaryDirectory(prefix="gatewright-state-") as name:
            folder = Path(name)
            env = {"GIT_INDEX_FILE": str(folder / "index")}
            env |= {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in WHO.items()}
            self._run(["read-tree", base or "--empty"], env=env)
            lines = self._index_lines({**gone, **files}, folder)
            self._run(["update-index", "-z", "--add", "--index-info"], lines, env)
            tree = self._run(["write-tree"], env=env).decode().strip()
            parent = ["-p", base] if base and dropped is None else []
            return self._run(["commit-tree", tree, *parent, "-m", message], env=env).decode().strip()

    def push(self, commit: str, *, expected: str | None) -> bool:
        """Set the ref to `commit` if it still is `expected` (None: if it is not there); whether it was.

        An answer that was lost on its way counts as what the remote has afterwards. WorldFailed when it refuses for
        another reason, or cannot be asked.
        """
        lease = f"--force-with-lease={self.ref}:{expected or ''}"
        words = ["push", "--porcelain", "--no-verify", lease, "--", self.remote, f"{commit}:{self.ref}"]
        failpoint("before-push")
        done = self._git(words)
        failpoint("after-push")
        if done.returncode == 0 or (now := self.tip()) == commit:
            self._keep(commit)
            return True
        said = (done.stdout + done.stderr).decode(errors="replace")
        if now != expected or any(word in said for word in _OVERTAKEN):
            return False
        raise _failed("push", said, f"may this machine write {self.ref} of {self.remote}? CI: contents: write")

    def _index_lines(self, files: Mapping[str, bytes | None], folder: Path) -> bytes:
        written = [path for path, data in files.items() if data is not None]
        for number, path in enumerate(written):
            (folder / str(number)).write_bytes(files[path] or b"")
        names = "".join(f"{folder / str(number)}\n" for number in range(len(written))).encode()
        blobs = self._run(["hash-object", "-w", "--no-filters", "--stdin-paths"], names).decode().split()
        entries = [f"100644 {blob}\t{path}\0" for path, blob in zip(written, blobs, strict=True)]
        entries += [f"0 {_ABSENT}\t{path}\0" for path, data in files.items() if data is None]
        return "".join(entries).encode()

    def _keep(self, commit: str) -> None:
        """A ref of our own to it; somebody else who sets it at this moment keeps the objects as well."""
        with contextlib.suppress(WorldFailed):
            self._run(["update-ref", self.ref, commit])

    def _run(self, words: Sequence[str], stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        done = self._git(words, stdin, env)
        if done.returncode:
            raise _failed(words[0], done.stderr.decode(errors="replace"), f"try it by hand in {self.root}")
        return done.stdout

    def _git(
        self, words: Sequence[str], stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", "-C", str(self.root), *words],
                input=stdin,
                capture_output=True,
                timeout=self.timeout_s,
                check=False,
                env={**os.environ, **QUIET, **(env or {})},
            )
        except FileNotFoundError as error:
            raise WorldFailed("git is not installed", fix="install git") from error
        except subprocess.TimeoutExpired as error:
            what = f"git {words[0]} took more than {self.timeout_s:g} s"
            raise WorldFailed(what, fix=f"is {self.remote} up? state.timeout allows for more") from error


def _failed(verb: str, said: str, fix: str) -> WorldFailed:
    lines = said.strip().splitlines() or ["nothing"]
    first = next((line for line in lines if line.startswith(("fatal:", "error:", "!", "remote:"))), lines[-1])
    return WorldFailed(f"git {verb} failed: {without_secrets(first)}", fix=fix)
