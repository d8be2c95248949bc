"""A pandera schema of the team's own, asked in a process of its own: it may import what it likes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from gatewright.adapters.checks.data_command import asked
from gatewright.domain.duration import Duration
from gatewright.domain.lineage import DataVersion
from gatewright.domain.project import DataChecksSection
from gatewright.ports import CheckResult, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`pandera`: `module:Name` of a DataFrameModel or DataFrameSchema of `pandera.polars`, below the workspace."""

    pandera: str = ""
    timeout: Duration = Duration(600.0)


class PanderaCheck:
    """`checks.data.pandera`."""

    name = "pandera"

    def __init__(self, options: Options | DataChecksSection, context: Context) -> None:
        self._schema = str(options.pandera)
        self._timeout_s = options.timeout.seconds

    def run(self, root: Path, path: Path, version: DataVersion) -> CheckResult:
        """Validate all rows, and tell each failing check with its number of cases."""
        child = "gatewright.adapters.checks.pandera_child"
        argv = [sys.executable, "-m", child, self._schema, str(path)]
        return asked(f"data:{version.name}:{self.name}", argv, root, version.version, self._timeout_s)
