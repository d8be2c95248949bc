"""A `gatewright` in front of the real one that writes down how it was called, whatever CI calls it."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

_WORD, _END = "\x1f", "\x1e"
_PROGRAM = r"""#!/bin/sh
RECORDED="$0" {real} "$@"
code=$?
{{ printf '%s\037' "$@"; printf '\036%s\036' "$code"; }} >> {record}
exit $code
"""


_STAND_IN = r"""#!/bin/sh
echo "gatewright $*"
for word; do
  if [ "$previous" = --env-file ]; then
    mkdir -p "$(dirname "$word")"
    printf 'GATEWRIGHT_RUN=run-1\nGATEWRIGHT_TERMINAL=true\n' > "$word"
  fi
  previous=$word
done
if [ "$1" = "$(cat "$(dirname "$RECORDED")/fails")" ]; then exit 1; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: the words behind `gatewright`, and its exit code."""

    words: tuple[str, ...]
    code: int

    @property
    def stage(self) -> str:
        """The command without its options: `rollout tick`."""
        named = [word for word in self.words[:2] if not word.startswith("-")]
        return " ".join(named if named[:1] in (["rollout"], ["data"], ["evalset"], ["ci"]) else named[:1])


def stand_in(folder: Path) -> Path:
    """A program that does nothing but tell the later jobs a run, and fail where it is told to."""
    folder.mkdir(parents=True)
    program = folder / "gatewright"
    program.write_text(_STAND_IN, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


class Recording:
    """`folder` goes in front of PATH; `calls` are those since the last time one asked."""

    def __init__(self, folder: Path, *, real: Path | None = None) -> None:
        self.folder = folder / "bin"
        self._record = folder / "calls"
        self._fails = self.folder / "fails"
        self._seen = 0
        self.folder.mkdir(parents=True)
        self.fail("nothing")
        real = real or Path(sys.executable).with_name("gatewright")
        program = self.folder / "gatewright"
        program.write_text(_PROGRAM.format(real=real, record=self._record), encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def fail(self, stage: str) -> None:
        """Have the stand-in fail at this command."""
        self._fails.write_text(stage, encoding="utf-8")

    @property
    def path(self) -> str:
        """PATH of a runner: the recording, then this environment's programs, then the system's."""
        return os.pathsep.join((str(self.folder), str(Path(sys.executable).parent), "/usr/local/bin:/usr/bin:/bin"))

    def calls(self) -> list[Call]:
        """The calls that ended since the last time."""
        text = self._record.read_text(encoding="utf-8") if self._record.exists() else ""
        parts = text.split(_END)[:-1]
        found = [
            Call(words=tuple(words.split(_WORD)[:-1]), code=int(code))
            for words, code in zip(parts[::2], parts[1::2], strict=True)
        ]
        new = found[self._seen :]
        self._seen = len(found)
        return new
