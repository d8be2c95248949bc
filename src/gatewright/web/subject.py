"""What a report is about, in one object that every form of it reads: a run, or two models that were compared. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gatewright.domain.documents import short
from gatewright.domain.gate import GateResult, Verdict
from gatewright.domain.records import DeploymentRecord
from gatewright.store.runs import Handoff
from gatewright.store.verdicts import RecordedVerdict, read_verdict
from gatewright.web.measured import Measured, measured_in

_ENDINGS = {
    "promoted": "promoted",
    "confirmed": "confirmed: it serves already",
    "restored": "restored",
    "rolled_back": "rolled back",
    "stopped": "stopped",
    "aborted": "given up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of lineage: what, which one (a name or a digest), and a size or other remark."""

    what: str
    which: str
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A report before it has a form. `recorded` is None until the gates have spoken.

    `state` is how it ended, or `open`; `told` the sentence for it. `stages` are (name, status, seconds), `events`
    (UTC time, what, why), `commands` what reproduces the numbers.
    """

    model: str
    run: str | None
    state: str
    told: str
    reasons: tuple[str, ...] = ()
    recorded: RecordedVerdict | None = None
    measured: Measured | None = None
    facts: tuple[Fact, ...] = ()
    stages: tuple[tuple[str, str, float], ...] = ()
    events: tuple[tuple[str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def verdict_words(self) -> str:
        """The verdict in one sentence."""
        if self.recorded is None:
            return "The gates have not spoken yet."
        judgement = self.recorded.judgement
        if not judgement.results:
            return self.warnings[0] if self.recorded.verdict is Verdict.FAIL and self.warnings else "No gate was asked."
        stopping = [each for each in judgement.results if _stops(each)]
        if len(stopping) == 1:
            return f"{stopping[0].gate}: {stopping[0].why.partition(chr(10))[0]}"
        if stopping:
            return _stopped(stopping, len(judgement.results))
        warned = sum(each.verdict is not Verdict.PASS for each in judgement.results)
        passed = len(judgement.results) - warned
        rest = f"; {warned} could not tell and only warned" if warned else ""
        return f"{passed} of {len(judgement.results)} gates passed{rest}"


def subject_of_run(run: str, handoffs: Mapping[str, Handoff], records: Sequence[DeploymentRecord]) -> Subject:
    """A run, from whatever hand-offs it has so far; `records` are those that name it, oldest first.

    UnusableInput when a hand-off does not hold what it should.
    """
    lock = handoffs["lock"].body
    end = next((record for record in records if record.kind in _ENDINGS), None)
    verdict, report = handoffs.get("verdict"), handoffs.get("evaluation-report")
    # What the gates said stands above it.
    why = "stopped by its gates" if verdict and end and end.kind == "stopped" else end.why if end else ""
    told = f"{_sentence(why)} ({end.at:%Y-%m-%d %H:%M:%S} UTC, by {end.actor})" if end else ""
    return Subject(
        model=lock["model"],
        run=run,
        state=_ENDINGS[end.kind] if end else "open",
        told=told,
        reasons=tuple(lock["reasons"]),
        recorded=read_verdict(verdict.body) if verdict else None,
        measured=measured_in(report.body) if report else None,
        facts=tuple(_facts(handoffs)),
        stages=tuple(
            (handoff.stage, handoff.status, (handoff.ended_at - handoff.started_at).total_seconds())
            for name, handoff in handoffs.items()
            if name not in ("lock", "deployment-record")
        ),
        events=tuple((f"{record.at:%H:%M:%S}", record.kind.replace("_", " "), record.why) for record in records),
        warnings=tuple(
            dict.fromkeys(text for handoff in handoffs.values() for text in handoff.body.get("warnings", ()))
        ),
        commands=tuple(_commands(run, str(lock["commit"]))),
    )


def sla_of(subject: Subject) -> float | None:
    """The latency gate's limit in milliseconds."""
    judgement = subject.recorded.judgement if subject.recorded else None
    gate = next((each for each in judgement.results if each.gate == "latency"), None) if judgement else None
    if gate is None:
        return None
    levels = (each.limit for each in gate.comparisons if each.kind == "level" and each.limit is not None)
    found = next(levels, gate.evidence.get("sla_ms"))
    return float(found) if isinstance(found, int | float) and found > 0 else None


def _stopped(stopping: Sequence[GateResult], asked: int) -> str:
    """`2 of 6 gates fail: overall, auc; 1 could not tell: slices`."""
    failed = [each.gate for each in stopping if each.verdict is Verdict.FAIL]
    unsure = [each.gate for each in stopping if each.verdict is Verdict.INCONCLUSIVE]
    told = [f"fail{'' if len(failed) > 1 else 's'}: {', '.join(failed)}"] if failed else []
    told += [f"could not tell: {', '.join(unsure)}"] if unsure else []
    rest = f"; {len(unsure)} {told[1]}" if len(told) > 1 else ""
    return f"{len(failed or unsure)} of {asked} gates {told[0]}{rest}"


def _stops(result: GateResult) -> bool:
    return result.verdict is Verdict.FAIL or (result.verdict is Verdict.INCONCLUSIVE and not result.warns)


def _facts(handoffs: Mapping[str, Handoff]) -> Iterator[Fact]:
    lock = handoffs["lock"].body
    for what, key in (("training data", "train"), ("evaluation data", "evaluation")):
        pinned = lock[key]
        yield Fact(
            what=what,
            which=f"{pinned['name']} {pinned['version']}",
            remark=f"{pinned['rows']:,} rows, {short(pinned['digest'])}",
        )
    yield Fact(what="commit", which=lock["commit"].partition("-")[0][:12] + _dirty(lock["commit"]))
    yield Fact(what="configuration", which=short(lock["config"]))
    if baseline := lock.get("baseline"):
        digest = short(baseline["artifact"]["digest"])
        yield Fact(what="baseline", which=digest, remark=f"version {baseline['number']}")
    if candidate := handoffs.get("candidate"):
        yield Fact(what="candidate", which=short(candidate.outputs["artifact"]))
    if version := handoffs.get("version"):
        yield Fact(what="registered as", which=f"version {version.body['version']['number']}")


def _dirty(commit: str) -> str:
    return " with changes" if commit.endswith("-dirty") else ""


def _commands(run: str, commit: str) -> Iterator[str]:
    """The data versions are pinned by pointer files of the same commit, so a run there works on the same rows."""
    if commit != "no-git":
        remark = "  # and the files that differed from it" if commit.endswith("-dirty") else ""
        yield f"git checkout {commit.removesuffix('-dirty')}{remark}"
    yield "gatewright run"
    yield f"gatewright report {run} --format html --file report.html"


def _sentence(text: str) -> str:
    first = text.partition("\n")[0]
    return first[:1].upper() + first[1:] + "."
