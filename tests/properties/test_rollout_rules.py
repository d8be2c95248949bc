"""Whatever the world shows, and in whatever order: no rollout does what must never be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import LIVE_METRICS, Block, Observation
from gatewright.domain.rollout import FULL, ArmState, Command, Phase, Rollout, TrafficState, Verb, World
from gatewright.domain.shadow import Shadow, ShadowObservation
from gatewright.rules import canary, evidence, orders
from tests.scenarios.rollout_story import CANARY, POLICY, STABLE, begun, rollout

WEIGHTS = st.sampled_from((None, 0.0, 5.0, 25.0, 50.0, 99.99, 100.0))
COUNTS = st.sampled_from(((0, 0), (1, 0), (40, 0), (4000, 8), (400, 90)))
VERBS: tuple[Verb, ...] = ("pause", "pause", "resume", "abort", "approve", "approve", "promote", "promote-full")
GATED = replace(POLICY, steps=tuple(replace(step, approval=True) for step in POLICY.steps))
SHADOWED = replace(POLICY, shadow=Shadow(hold=Duration(20)))
CHANGES = ("nothing", "nothing", "traffic", "arm", "requests", "source", "people", "registry")


def healthy(now: Rollout) -> World:
    """The traffic is as it was asked for, both arms answer well, and somebody resumes what is paused."""
    block = Block(canary_n=4000, canary_bad=8, stable_n=4000, stable_bad=8)
    weight = min(now.weight, 99.99) if now.stable else now.weight
    settled = now.phase is Phase.PROMOTING
    return World(
        traffic=TrafficState(
            weight=weight, mirror=now.mirror, settled=settled, canary=ArmState(digest=CANARY, ready=True)
        ),
        shadow=(ShadowObservation(tick=0, asked=400, failed=0, equal=400),),
        observations=tuple(Observation(metric=m, weight=now.weight, tick=0, block=block) for m in LIVE_METRICS),
        commands=(Command(id=0, verb="resume", actor="ada", at=now.started_at),),
        serving=CANARY if settled else now.stable,
    )


def ordered(draw: st.DrawFn, now: Rollout, number: int, verb: Verb) -> Command:
    """A command as somebody gave it who saw this step or another one."""
    step = draw(st.sampled_from((orders.bound_to(now, verb), 0, 1, 2)))
    return Command(id=number, verb=verb, actor="ada", at=now.started_at, step=step, digest=CANARY)


@st.composite
def worlds(draw: st.DrawFn, now: Rollout) -> World:
    """Mostly healthy, so that rollouts do climb, with one thing or another changed at will."""
    world = healthy(now)
    changed = draw(st.lists(st.sampled_from(CHANGES), max_size=3))
    if "traffic" in changed:
        weight = draw(st.one_of(st.just(world.traffic.weight), WEIGHTS))
        mirror = draw(st.sampled_from((world.traffic.mirror, world.traffic.mirror, 0.0, 1.0)))
        settled = draw(st.booleans())
        world = replace(world, traffic=replace(world.traffic, weight=weight, mirror=mirror, settled=settled))
    if "arm" in changed:
        digest, error = draw(st.sampled_from((CANARY, STABLE))), draw(st.sampled_from((None, None, None, "crashed")))
        arm = ArmState(digest=digest, ready=draw(st.booleans()), error=error)
        world = replace(world, traffic=replace(world.traffic, canary=draw(st.sampled_from((arm, None)))))
    if "requests" in changed:
        (canary_n, canary_bad), (stable_n, stable_bad) = draw(COUNTS), draw(COUNTS)
        block = Block(canary_n=canary_n, canary_bad=canary_bad, stable_n=stable_n, stable_bad=stable_bad)
        routed = draw(st.sampled_from((now.weight, 5.0, 25.0, 50.0)))
        seen = tuple(Observation(metric=m, weight=routed, tick=0, block=block) for m in LIVE_METRICS)
        asked, failed = draw(COUNTS)
        copies = (ShadowObservation(tick=0, asked=asked, failed=failed, equal=0),)
        world = replace(world, observations=seen, shadow=copies)
    if "source" in changed:
        world = replace(world, source_error="no log")
    if "people" in changed:
        verbs = draw(st.lists(st.sampled_from(VERBS), max_size=2))
        said = tuple(ordered(draw, now, i, verb) for i, verb in enumerate(verbs))
        world = replace(world, commands=said)
    if "registry" in changed:
        world = replace(world, serving=draw(st.sampled_from((now.stable, CANARY))))
    return world


def ticked(data: st.DataObject, before: Rollout) -> tuple[World, Rollout]:
    world = data.draw(worlds(before))
    last = before.ticked_at or before.started_at
    now = last + timedelta(seconds=data.draw(st.sampled_from((10.0, 10.0, 60.0, 3600.0, -3600.0))))
    informed = evidence.absorb(before, world, "cursor", now)
    return world, canary.apply(informed, canary.decide(informed, world))


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(("usual", "usual", "first deployment", "shadow")))
def test_no_world_leads_a_rollout_astray(data: st.DataObject, kind: str) -> None:
    first_deployment, shadow = kind == "first deployment", kind == "shadow"
    after = rollout(stable=None) if first_deployment else begun(policy=SHADOWED if shadow else POLICY)
    highest = [step.weight for step in after.policy.steps]
    for _ in range(data.draw(st.just(40))):
        before = after
        world, after = ticked(data, before)
        blind = bool(world.source_error) or world.traffic.weight is None
        if before.phase is Phase.ROLLING_BACK:
            assert after.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
            assert after.weight == 0.0
        if before.phase is Phase.SHADOWING or after.phase is Phase.SHADOWING:
            assert shadow
            assert min(before.weight, after.weight) == 0.0
        if after.mirror:
            assert after.phase in (Phase.SHADOWING, Phase.PAUSED)
            assert after.weight == 0.0
        if after.phase is Phase.ROLLED_BACK and not before.phase.terminal:
            assert (world.traffic.weight, world.traffic.mirror) == (0.0, 0.0)
            assert after.stable is None or world.serving == after.stable
        if after.phase is Phase.PROMOTED and not before.phase.terminal:
            assert before.phase is Phase.PROMOTING
            assert world.traffic.weight is not None
            assert world.traffic.weight >= 99.99
            assert world.traffic.settled
            assert world.serving == after.canary
        if any(command.verb == "abort" for command in world.commands) and not before.phase.terminal:
            assert after.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
        if before.phase.terminal:
            assert (after.phase, after.weight) == (before.phase, before.weight)
            break
        if after.step > before.step:
            assert not blind
            assert after.step == before.step + 1
            assert before.phase is Phase.PROGRESSING
            assert after.weight == highest[after.step]
        if after.weight > before.weight:
            assert world.traffic.weight is not None
            full = before.full or any(command.verb == "promote-full" for command in world.commands)
            assert before.phase in (Phase.SHADOWING if shadow else Phase.PENDING, Phase.PROGRESSING) or full
            assert before.phase is Phase.PENDING or not blind or full
        if after.weight == FULL and not first_deployment and before.weight != FULL:
            full = before.full or any(command.verb == "promote-full" for command in world.commands)
            assert before.step == len(highest) - 1 or full


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_step_that_needs_an_approval_begins_without_one_of_its_own(data: st.DataObject) -> None:
    after = begun(policy=GATED)
    unused: set[int] = set()
    for _ in range(data.draw(st.just(40))):
        before = after
        world = healthy(before)
        said = [ordered(data.draw, before, i, data.draw(st.sampled_from(VERBS))) for i in range(2)]
        world = replace(world, commands=tuple(said) if data.draw(st.booleans()) else ())
        given_now = {c.step for c in world.commands if c.verb == "approve" and c.step == orders.next_step(before)}
        unused |= {step for step in given_now if step is not None}
        informed = evidence.absorb(before, world, "c", before.started_at + timedelta(seconds=300))
        informed = replace(informed, held_s=informed.held_s + 300)
        after = canary.apply(informed, canary.decide(informed, world))
        if before.weight < after.weight < FULL:
            assert after.step in unused
            unused.discard(after.step)
            assert after.approval is None


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from((Phase.PENDING, Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING)))
def test_missing_data_never_advances_even_when_all_else_is_served(data: st.DataObject, phase: Phase) -> None:
    step = data.draw(st.integers(0, 2))
    weight = {Phase.PENDING: 0.0, Phase.PROMOTING: FULL}.get(phase, begun().policy.steps[step].weight)
    shown = {
        metric: replace(past, acceptable=replace(past.acceptable, peak_log_e=50.0))
        for metric, past in begun().evidence.items()
    }
    before = begun(phase=phase, step=step, weight=weight, held_s=1e6, step_requests=10**6, evidence=shown)
    world = data.draw(worlds(before))
    missing = data.draw(st.sampled_from(("source", "traffic", "no requests", "another weight")))
    match missing:
        case "source":
            world = replace(world, source_error="no log")
        case "traffic":
            world = replace(world, traffic=replace(world.traffic, weight=None))
        case "no requests":
            world = replace(world, observations=())
        case _:
            elsewhere = tuple(replace(seen, weight=1.0) for seen in world.observations)
            world = replace(world, observations=elsewhere)
    informed = evidence.absorb(before, world, "cursor", before.started_at)
    decision = canary.decide(informed, world)
    assert decision.step == step
    started = phase is Phase.PENDING and missing != "traffic"
    by_hand = any(command.verb == "promote-full" for command in world.commands)
    assert decision.weight <= before.weight or started or by_hand
    assert decision.phase is not Phase.PROMOTED or phase is Phase.PROMOTING


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_hold_time_is_never_more_than_the_time_that_passed_nor_two_ticks_a_look(data: st.DataObject) -> None:
    before = begun(phase=Phase.PROGRESSING, weight=5.0, ticked_at=begun().started_at)
    world = data.draw(worlds(before))
    seconds = data.draw(st.floats(-1e5, 1e5))
    after = evidence.absorb(before, world, "cursor", before.started_at + timedelta(seconds=seconds))
    assert 0.0 <= after.held_s <= max(0.0, min(seconds, 2 * before.policy.tick.seconds)) + 1e-6
    assert after.held_s <= after.waited_s
    if world.source_error:
        assert (after.evidence, after.cursor, after.requests) == (before.evidence, before.cursor, before.requests)
