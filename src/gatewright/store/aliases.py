"""Names for data versions, data/aliases.yaml: `production` of a data set is this version until somebody moves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from gatewright.config.nodes import parse
from gatewright.config.problems import dotted, failure
from gatewright.domain.errors import DataError, Problem, UnusableInput
from gatewright.effects.files import read_bytes, write_atomic

FILE = Path("data") / "aliases.yaml"
_LIMIT = 1 << 20
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_HEADER = "# Names for data versions, written by `gatewright data alias`: data set -> alias -> version.\n"

Table = dict[str, dict[str, str]]


class Aliases:
    """The aliases of one workspace, as they are checked out."""

    def __init__(self, root: Path) -> None:
        self._path = root / FILE

    def all(self) -> Mapping[str, Mapping[str, str]]:
        """Data set → alias → version; DataError when the file says something else."""
        if not self._path.is_file():
            return {}
        shown = FILE.as_posix()
        document = parse(read_bytes(self._path, _LIMIT), shown, error=DataError)
        problems = []
        for name, aliases in document.value.items() if isinstance(document.value, dict) else [("", None)]:
            if not isinstance(aliases, dict):
                problems.append((name, "is no mapping: write NAME: {ALIAS: VERSION}"))
                continue
            wrong = (alias for alias, version in aliases.items() if not isinstance(version, str))
            problems.extend(
                (f"{name}.{alias}", "is no version id: quote it if it looks like a number") for alias in wrong
            )
        if problems:
            found = [
                Problem(where=document.place(tuple(at.split(".")) if at else ()), field=dotted((at,)), what=what)
                for at, what in problems
            ]
            raise failure(DataError, shown, found, fix="gatewright data alias writes it")
        return cast("Table", document.value)

    def get(self, name: str, alias: str) -> str:
        """The version that `alias` of the data set `name` means; UnusableInput with the known ones."""
        known = self.all().get(name, {})
        if alias not in known:
            told = ", ".join(f"@{each}" for each in sorted(known)) or "none yet"
            raise UnusableInput(
                f"{name} has no alias {alias!r}",
                fix=f"its aliases: {told}; gatewright data alias {name} VERSION {alias}",
            )
        return known[alias]

    def put(self, name: str, alias: str, version: str) -> None:
        """Let `alias` mean `version`; UnusableInput for what is no alias."""
        if not _NAME.fullmatch(alias):
            raise UnusableInput(
                f"{alias!r} is no alias", fix="use small letters, digits, dashes and underscores, a letter first"
            )
        table = self._table()
        table.setdefault(name, {})[alias] = version
        self._write(table)

    def remove(self, name: str, alias: str) -> str:
        """Forget `alias`; returns the version that it meant."""
        version, table = self.get(name, alias), self._table()
        del table[name][alias]
        self._write({name: aliases for name, aliases in table.items() if aliases})
        return version

    def _table(self) -> Table:
        return {name: dict(aliases) for name, aliases in self.all().items()}

    def _write(self, table: Table) -> None:
        import yaml

        ordered = {name: dict(sorted(table[name].items())) for name in sorted(table)}
        text = yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
        write_atomic(self._path, (_HEADER + text).encode())
