"""The shared state in a ref of a git remote: one commit is one change, the ref moves by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gatewright.domain.errors import WorldFailed
from gatewright.effects.git_ref import RemoteRef
from gatewright.store.shared import News

SQUASH_AT = 200
"""Commits after which the ref begins anew: what a fresh clone has to fetch stays bounded."""


class StateRef:
    """`Elsewhere` on a ref. Its commits follow each other, but every so many one begins a new line."""

    def __init__(self, ref: RemoteRef, *, squash_at: int = SQUASH_AT) -> None:
        self._ref = ref
        self._squash_at = squash_at
        self.about: Mapping[str, str] = {"folder": ref.prefix()}

    def news(self, since: str | None) -> News | None:
        """Fetch what is new; the difference where the old tip is still here, else everything."""
        tip = self._ref.bring()
        if tip is None and since is not None:
            raise WorldFailed(
                f"{self._ref.ref} is gone from {self._ref.remote}",
                fix=f"put it back: git push {self._ref.remote} {since}:{self._ref.ref}",
            )
        if tip is None or tip == since:
            return None
        whole = since is None or not self._ref.holds(since)
        blobs: Mapping[str, Any] = self._ref.files(tip) if whole else self._ref.changes(str(since), tip)
        read = self._ref.read(blob for blob in blobs.values() if blob is not None)
        files = {path: None if blob is None else read[blob] for path, blob in blobs.items()}
        return News(tip=tip, files=files, whole=whole)

    def offer(
        self, files: Mapping[str, bytes | None], *, since: str | None, message: str, kept: Callable[[str], bool]
    ) -> str | None:
        """Commit and push; None when the remote's ref is not `since` any more."""
        squash = since is not None and self._ref.depth(since) >= self._squash_at
        dropped = (lambda path: not kept(path)) if squash else None
        commit = self._ref.commit(files, base=since, message=f"{message}\n", dropped=dropped)
        return commit if self._ref.push(commit, expected=since) else None
