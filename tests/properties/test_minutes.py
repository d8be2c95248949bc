"""CloudWatch's minutes: whatever happens to weights and looks, blocks hold whole minutes of one weight, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gatewright.domain.duration import Duration
from tests.fixtures.cloudwatch import PretendedCloudWatch, pretended_cloudwatch
from tests.fixtures.endpoint import ENDPOINT, LIMIT_MS, NEW, OLD, Endpoint
from tests.fixtures.s3 import ENVIRONMENT

DELAY_S, SETTLE_S, LEASE_S = 120.0, 60.0, 300.0


@dataclass(frozen=True)
class Step:
    """Seconds until the next look, what each arm does meanwhile, and what happens at that look.

    `event`: the weight becomes another one, it was not verified, the source fails, or nobody looks at all.
    """

    seconds: float
    canary: tuple[tuple[bool, bool], ...]
    stable: tuple[tuple[bool, bool], ...]
    event: str


def requests() -> st.SearchStrategy[tuple[tuple[bool, bool], ...]]:
    """Each (failed, slow)."""
    return st.lists(st.tuples(st.booleans(), st.booleans()), max_size=4).map(tuple)


steps = st.builds(
    Step,
    seconds=st.sampled_from([60.0, 60.0, 60.0, 61.5, 90.0, 7.0, 200.0, 301.0]),
    canary=requests(),
    stable=requests(),
    event=st.sampled_from(["", "", "", "", "", "weight", "unverified", "fails", "nobody"]),
)


@dataclass
class Told:
    """What happened, kept apart from the code under test: requests by minute, and looks of one weight in a row."""

    counts: dict[int, list[int]] = field(default_factory=dict)
    spans: list[list[float]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    broken: bool = True

    def count(self, at: float, place: int, failed: bool, slow: bool) -> None:
        """One request of the arm whose counts begin at `place`."""
        found = self.counts.setdefault(int(at // 60), [0] * 6)
        found[place] += 1
        found[place + 1] += failed
        found[place + 2] += slow

    def look(self, at: float, weight: float, *, failed: bool, unverified: bool) -> None:
        """A look that failed belongs to no span, one whose weight was not verified is the last of its own."""
        if not failed:
            if self.broken or self.weights[-1] != weight or at - self.spans[-1][-1] >= LEASE_S:
                self.spans.append([])
                self.weights.append(weight)
            self.spans[-1].append(at)
        self.broken = failed or unverified

    def usable(self) -> dict[int, float]:
        """The minutes that must have been told, with their weights: looked at before, after, and when they had come."""
        found: dict[int, float] = {}
        for looks, weight in zip(self.spans, self.weights, strict=True):
            for minute in self.counts if len(looks) > 1 else ():
                begins, ends = 60.0 * minute, 60.0 * minute + 60.0
                if looks[0] + SETTLE_S <= begins and ends <= looks[-2] and ends + DELAY_S <= looks[-1]:
                    found[minute] = weight
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[PretendedCloudWatch]:
    with pretended_cloudwatch() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": found.address}.items():
            patch.setenv(name, value)
        yield found


def play(endpoint: Endpoint, told: Told, step: Step) -> dict[tuple[int, float], list[int]]:
    """One step; the blocks of the look at its end, by (tick, weight)."""
    begins, server = endpoint.clock.now().timestamp(), endpoint.server
    for place, (variant, asked) in enumerate(((NEW, step.canary), (OLD, step.stable))):
        for number, (failed, slow) in enumerate(asked):
            at = begins + step.seconds * number / len(asked)
            us = LIMIT_MS * 1000 + slow
            server.invoke(ENDPOINT, variant, at, us=us, status=500 if failed else 200)
            told.count(at, 3 * place, failed, slow)
    endpoint.clock.forward(step.seconds)
    now = endpoint.clock.now().timestamp()
    if step.event == "nobody":
        return {}
    server.fault = (lambda request: (400, b"{}")) if step.event == "fails" else (lambda request: None)
    weight = 30.0 - endpoint.rollout.weight if step.event == "weight" else endpoint.rollout.weight
    asked_before = server.requests
    found = endpoint.look(weight=weight)
    failed = step.event == "fails" and server.requests > asked_before
    assert (found.error is not None) == failed
    if step.event == "unverified":
        endpoint.unverified()
    told.look(now, weight, failed=failed, unverified=step.event == "unverified")
    blocks: dict[tuple[int, float], list[int]] = {}
    for seen in found.observations:
        block = seen.block
        assert seen.weight == weight
        counts = blocks.setdefault((seen.tick, seen.weight), [0] * 6)
        places = (0, 1, 3, 4) if seen.metric == "errors" else (None, 2, None, 5)
        numbers = (block.canary_n, block.canary_bad, block.stable_n, block.stable_bad)  # type: ignore[union-attr]
        for where, number in zip(places, numbers, strict=True):
            if where is not None:
                counts[where] += int(number)
    return blocks


PLAIN = Step(seconds=60.0, canary=((True, False),), stable=((False, True),), event="")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offset=st.sampled_from([0.0, 13.0, 59.5]), played=st.lists(steps, min_size=6, max_size=24))
@example(offset=0.0, played=[PLAIN] * 12)
@example(offset=13.0, played=[*[PLAIN] * 8, Step(60.0, ((True, True),), (), "weight"), *[PLAIN] * 8])
@example(offset=0.0, played=[replace(PLAIN, seconds=seconds) for seconds in (*[60.0] * 6, *[200.0] * 3, 60.0, 60.0)])
def test_blocks_are_the_whole_minutes_of_one_proven_weight(
    server: PretendedCloudWatch, offset: float, played: list[Step]
) -> None:
    server.samples.clear()
    with TemporaryDirectory() as folder:
        # A silence would be a fault of its own: here it is no matter.
        endpoint = Endpoint(Path(folder), server, past=4, offset=offset, silence=Duration(86400.0))
        told, blocks = Told(), dict[tuple[int, float], list[int]]()
        for step in played:
            for key, counts in play(endpoint, told, step).items():
                known = blocks.setdefault(key, [0] * 6)
                blocks[key] = [one + more for one, more in zip(known, counts, strict=True)]
    must = told.usable()
    # A tick of this rollout is ten seconds, so that a block here is one minute.
    assert {(tick * 10 // 60, weight): counts for (tick, weight), counts in blocks.items()} == {
        (minute, weight): told.counts[minute] for minute, weight in must.items()
    }
