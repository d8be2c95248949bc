"""I1 to I3, I8 and I9: what the traffic and the records may say of each other."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.crash.facts import TERMINAL, WHOLE, Facts, Row, share


def one_terminal_record(facts: Facts) -> Iterator[str]:
    """I1: exactly one terminal record per run, of the expected kind, none before the world is as it says."""
    for run in facts.runs:
        kinds = [record["kind"] for record in facts.records if record["run"] == run.name and record["kind"] in TERMINAL]
        if len(kinds) > 1:
            yield f"run {run.name} has {len(kinds)} terminal records: {kinds}"
        copy = facts.handoff(run, "deployment-record")
        if copy is not None and [copy["status"]] != kinds[:1]:
            yield f"deployment-record.json of {run.name} says {copy['status']}, the records {kinds}"
        if facts.end is not None and kinds[:1] != [facts.end]:
            yield f"run {run.name} ended with {kinds}, not with {facts.end}"
        if facts.end is not None and copy is None:
            yield f"run {run.name} has no deployment-record.json at its end"
    yield from _truth_of_terminal_records(facts)
    if facts.end is not None:
        yield from _the_end(facts)


def _truth_of_terminal_records(facts: Facts) -> Iterator[str]:
    """When it was committed, the phase was terminal and the traffic as it says."""
    phases: dict[str, str] = {}
    for change in facts.audit:
        if change["kind"] == "rollouts":
            phases[change["id"]] = change["phase"]
        if change["kind"] != "records" or change["deed"] != "INSERT" or not change["terminal"]:
            continue
        body = json.loads(change["body"])
        rollout, kind = body["rollout"], body["kind"]
        if rollout is None:
            continue
        if phases.get(rollout) != kind:
            yield f"record {body['seq']} says {kind} while the rollout was {phases.get(rollout)}"
        before = [line for line in facts.shown if line["audit"] < change["commit"]]
        part = share(before[-1]["shares"], facts.canaries.get(rollout, "")) if before else 0
        if (kind == "promoted" and part < WHOLE - 1) or (kind == "rolled_back" and part):
            yield f"record {body['seq']} says {kind} while the gateway gave the new version {part} of {WHOLE}"


def _the_end(facts: Facts) -> Iterator[str]:
    """What serves, by the registry and by the gateway, is what the run's end says."""
    serving = facts.rows("SELECT v.digest FROM serving JOIN versions v USING (model, number)")
    found = serving[0]["digest"] if serving else None
    wanted = facts.rollouts[-1]["canary"] if facts.end == "promoted" and facts.rollouts else facts.digest_of_version(1)
    if found != wanted:
        yield f"at the end the registry says that {found} serves, not {wanted}"
    if share(facts.shown[-1]["shares"], wanted) < WHOLE - 1:
        yield f"at the end the gateway shows {facts.shown[-1]['shares']}, not {wanted}"
    if facts.end == "stopped" and (facts.rollouts or facts.changes("versions", "INSERT")):
        yield "a run that its gates stopped has a version or a rollout"
    for row in facts.rollouts:
        if row["phase"] not in ("promoted", "rolled_back"):
            yield f"at the end rollout {row['id']} is {row['phase']}"


def whole_weights(facts: Facts) -> Iterator[str]:
    """I2: the weights of every table that the gateway took sum to 10,000, and each was decided before it was shown."""
    for line in facts.shown:
        parts = [part for _, part in line["shares"]]
        if parts and (sum(parts) != WHOLE or min(parts) < 1):
            yield f"table {line['version']} has weights {line['shares']}, which sum to {sum(parts)}"
        yield from _undecided(facts, line)
    for change in facts.changes("routes", "INSERT", "UPDATE"):
        if not 0 <= change["weight"] <= 100:
            yield f"route revision {change['revision']} asks for {change['weight']} %"


def _undecided(facts: Facts, line: Row) -> Iterator[str]:
    """A share for a canary that no state committed before has asked for."""
    for rollout, canary in facts.canaries.items():
        part = share(line["shares"], canary)
        states = [row for row in facts.changes("rollouts") if row["id"] == rollout and row["commit"] <= line["audit"]]
        decided = {round(100 * json.loads(row["state"])["weight"]) for row in states}
        if part and not any(abs(part - weight) <= 1 for weight in decided):
            yield f"table {line['version']} gives the canary {part} of {WHOLE}; decided before: {sorted(decided)}"


def no_return_of_the_failed(facts: Facts) -> Iterator[str]:
    """I3: after a durable decision to roll back, no write gives the failed digest traffic; it is quarantined."""
    for rollout, canary in facts.canaries.items():
        states = [row for row in facts.changes("rollouts") if row["id"] == rollout]
        decided = [row["commit"] for row in states if row["phase"] in ("rolling_back", "rolled_back")]
        if decided:
            yield from _given_after(facts, canary, decided[0])
            if not facts.rows("SELECT 1 FROM quarantine WHERE digest = ?", canary):
                yield f"{canary} was rolled back and is not quarantined"


def _given_after(facts: Facts, canary: str, decided: int) -> Iterator[str]:
    for row in facts.changes("routes", "INSERT", "UPDATE"):
        if row["commit"] > decided and ((row["canary"] == canary and row["weight"] > 0) or row["stable"] == canary):
            yield f"route revision {row['revision']} gives {canary} traffic after it was to be rolled back"
    for before, line in zip([{"shares": []}, *facts.shown], facts.shown, strict=False):
        if line["audit"] >= decided and share(line["shares"], canary) > share(before["shares"], canary):
            yield f"table {line['version']} gives {canary} more traffic after it was to be rolled back"
    for row in facts.changes("serving", "INSERT", "UPDATE"):
        if row["commit"] > decided and facts.digest_of_version(row["number"]) == canary:
            yield f"the registry is told that {canary} serves after it was to be rolled back"


def approvals_are_used_once(facts: Facts) -> Iterator[str]:
    """I8: each step that needs an approval began on one of its own, given for this step and this model."""
    used = [record["details"]["command"] for record in facts.records if record["kind"] == "approved"]
    if len(used) != len(set(used)):
        yield f"a command was used for more than one approval: {used}"
    for rollout in facts.rollouts:
        commands = facts.rows("SELECT * FROM commands WHERE rollout = ? AND verb = 'approve'", rollout["id"])
        states = [json.loads(row["state"]) for row in facts.changes("rollouts") if row["id"] == rollout["id"]]
        highest = max((state["weight"] for state in states), default=0)
        for step, policy in enumerate(rollout["policy"]["steps"]):
            given = [row for row in commands if (row["step"], row["digest"]) == (step, rollout["canary"])]
            if policy["approval"] and highest >= policy["weight"] and not given:
                yield f"step {step + 1} of {rollout['id']} began without an approval of its own"


def stable_answers(facts: Facts) -> Iterator[str]:
    """I9: while the proxy lives, every request finds a model server that is up."""
    for line in facts.journal:
        if line["kind"] == "failed":
            yield f"{line['requests']} requests failed: {line['clusters']} not up, or unknown to the gateway"
    serving = False
    for line in facts.shown:
        if serving and not line["shares"]:
            yield f"table {line['version']} routes nothing"
        serving = serving or bool(line["shares"])
