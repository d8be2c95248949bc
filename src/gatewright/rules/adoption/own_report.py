"""Does the team evaluate already, and write a report that `gatewright gate REPORT` reads?"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from gatewright.domain.adoption import Repository
from gatewright.rules.adoption.training import runs_alone

_NUMBER = "overall_accuracy"
_OTHERS = ("demographic_parity_diff", "latency_p99_ms", "slices")
_BASELINE = "baselines/production.json"
_DEFAULT = "eval.json"
_JSON = re.compile(r"""["']([\w./-]+\.json)["']""")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReport:
    """Who writes the report, what file it is, and the baseline beside it if there is one.

    `script` is None when only the file is there; `is_written` when the file is. `alone`: the script needs no words.
    """

    report: str
    why: str
    script: str | None = None
    baseline: str | None = None
    is_written: bool = False
    alone: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """The line for CI: the gates on this report."""
        words = ["gatewright", "gate", self.report]
        if self.baseline and self.baseline != _BASELINE:
            words += ["--baseline", self.baseline]
        return tuple(words)

    @property
    def calls(self) -> tuple[tuple[str, ...], ...] | None:
        """What a job of CI runs: the script, if there is one, then the gates; None when its words are not known."""
        if self.script is None:
            return (self.command,)
        return (("python", self.script), self.command) if self.alone else None


def own_report(repository: Repository) -> OwnReport | None:
    """The report that the team's own evaluation writes; None when nothing of the kind is there."""
    written = {path: text for path, text in repository.texts.items() if path.endswith(".json") and _is_report(text)}
    baselines = [path for path in written if "baseline" in path or "production" in path]
    reports = sorted(set(written) - set(baselines), key=lambda path: (path != _DEFAULT, path))
    baseline = min(baselines, key=lambda path: (path != _BASELINE, path), default=None)
    for path, text in sorted(repository.texts.items()):
        if path.endswith(".py") and _NUMBER in text and any(word in text for word in _OTHERS):
            named = [name for name in _JSON.findall(text) if "baseline" not in name and "signature" not in name]
            report = (reports or named or [_DEFAULT])[0]
            return OwnReport(
                report=report,
                why=f"{path} writes {_NUMBER}",
                script=path,
                baseline=baseline,
                is_written=report in written,
                alone=runs_alone(text),
            )
    if reports:
        why = f"{reports[0]} holds {_NUMBER}"
        return OwnReport(report=reports[0], why=why, baseline=baseline, is_written=True)
    return None


def _is_report(text: str) -> bool:
    if _NUMBER not in text:
        return False
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and _NUMBER in body
