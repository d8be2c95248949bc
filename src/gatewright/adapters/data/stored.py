"""Bytes as they are stored: in a file of this machine, or behind a URL that fsspec opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gatewright.adapters.data.cached import CHUNK
from gatewright.domain.errors import WorldFailed
from gatewright.effects.addresses import check_url
from gatewright.effects.opened import asking, opened


class Stored:
    """Each file system is opened once, when something behind it is asked for."""

    def __init__(self) -> None:
        self._systems: dict[str, Any] = {}

    def chunks(self, at: str) -> Iterator[bytes]:
        """The bytes at this path or URL. WorldFailed when they do not come; FileNotFoundError when they are gone."""
        if "://" not in at:
            try:
                with Path(at).open("rb") as file:
                    while chunk := file.read(CHUNK):
                        yield chunk
            except FileNotFoundError:
                raise
            except OSError as error:
                raise WorldFailed(f"{at}: {error.strerror}", fix="mend its rights, or fetch it again") from error
            return
        scheme = check_url(at)
        with asking(scheme, at), self._system(scheme).open(at, "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def exists(self, at: str) -> bool:
        """Whether there is a file at this path or URL."""
        if "://" not in at:
            return Path(at).is_file()
        scheme = check_url(at)
        with asking(scheme, at):
            return bool(self._system(scheme).exists(at))

    def _system(self, scheme: str) -> Any:
        if scheme not in self._systems:
            self._systems[scheme] = opened(scheme)
        return self._systems[scheme]
