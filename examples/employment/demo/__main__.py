"""`make demo`: four acts on real data under live traffic, and a checker that decides whether they went as told."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from acts import Outcome, Play
from load import Load
from narration import Narrator
from settings import QUICK, DemoFailed, Settings
from workspace import EXAMPLE, Workspace

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OUT_OF_REACH = 0.99


class Stopped(BaseException):
    """Somebody asked the demo to stop: Ctrl-C, or a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def main() -> int:
    options = read_arguments()
    narrator = Narrator()
    for number in _ENDING:
        signal.signal(number, _stop)
    try:
        return play(options, Workspace(options.workspace, narrator), QUICK if options.quick else Settings())
    except DemoFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Stopped as stopped:
        print("\nstopped; nothing is left running", file=sys.stderr)
        return stopped.exit_code


def play(options: argparse.Namespace, workspace: Workspace, settings: Settings) -> int:
    """Everything from an empty folder to the verdict; whatever happens, no process is left behind."""
    narrator, started = workspace.narrator, time.monotonic()
    introduce(narrator, workspace, settings)
    workspace.make(settings, floor=_OUT_OF_REACH if 1 in options.sabotage else None)
    load = Load(workspace, settings.rate)
    with nothing_left_behind(workspace, load):
        director = Play(workspace, settings, load, sabotage=options.sabotage)
        outcomes = list(outcomes_of(director, options.acts, load, narrator))
        load.stop()
        narrator.headline(f"What happened, in {time.monotonic() - started:.0f} s")
        summarise(narrator, outcomes, load)
        workspace.gatewright("records")
        workspace.gatewright("status", "--svg", "rollout.svg")
        code = check(workspace, options.acts, settings)
    farewell(narrator, workspace, code)
    return code


def outcomes_of(play: Play, acts: Sequence[int], load: Load, narrator: Narrator) -> Iterator[Outcome]:
    """The acts in order; without a first deployment there is nothing for the others to replace."""
    for number in acts:
        yield play.act(number)
        if not load.runs:
            narrator.bad("Nothing was deployed, so the other acts cannot be played.")
            return


@contextmanager
def nothing_left_behind(workspace: Workspace, load: Load) -> Iterator[None]:
    """End the load generator and the supervisor with all it runs, whatever happens."""
    try:
        yield
    finally:
        ignore_signals()
        load.stop()
        workspace.stop()


def check(workspace: Workspace, acts: Sequence[int], settings: Settings) -> int:
    """What the checker says, a program of its own."""
    workspace.narrator.headline(
        "The checker: reads only the database, the records, the traffic counts and Envoy's route"
    )
    argv = [sys.executable, str(Path(__file__).with_name("checker.py")), str(workspace.root)]
    argv += ["--acts", ",".join(map(str, acts)), "--weights", ",".join(map(str, settings.weights))]
    argv += ["--traffic", str(workspace.summary)]
    return subprocess.run(argv, check=False).returncode


def introduce(narrator: Narrator, workspace: Workspace, settings: Settings) -> None:
    """What this is."""
    narrator.headline("Gatewright: from a data change to 100 % of live traffic, and bad models stopped on the way")
    narrator.say(
        "Census data (ACS, Massachusetts): who is employed? The years 2015 to 2017 play the last quarters, 2018 is "
        "live traffic. Everything is real: git commits, training, gates, two model servers, Envoy in front of them. "
        f"Each line with $ is a command that you could type in {workspace.root}."
    )
    narrator.say(settings.told())


def summarise(narrator: Narrator, outcomes: Sequence[Outcome], load: Load) -> None:
    """A table of the acts, and the traffic over all of them."""
    narrator.row(f"{'act':<5}{'what happened':<16}{'exit':>5}{'seconds':>9}{'failed requests':>17}")
    for outcome in outcomes:
        kind = str(outcome.record["kind"]) if outcome.record else "no end"
        narrator.row(f"{outcome.act:<5}{kind:<16}{outcome.exit_code:>5}{outcome.seconds:>9.1f}{outcome.failed:>17}")
        for reason in outcome.reasons:
            narrator.row(f"     because  {reason}")
        if outcome.record:
            narrator.row(f"     decided  {outcome.record['why'].partition(chr(10))[0]}")
    seen = load.summary()
    if seen["sent"]:
        narrator.row(
            f"traffic: {seen['sent']:,} requests, {seen['ok']:,} answered, {sum(seen['failed'].values())} failed, "
            f"{seen['rate']:g}/s, p50 {seen['p50_ms']} ms, p99 {seen['p99_ms']} ms"
        )
        if seen["latest_s"] > 1.0:
            narrator.bad(f"The load generator itself was up to {seen['latest_s']:.1f} s late: the machine is busy.")


def farewell(narrator: Narrator, workspace: Workspace, code: int) -> None:
    """The verdict, and how to look around."""
    if code:
        narrator.bad("The demo did not go as told; see the checks above.")
    else:
        narrator.good("All as told, and no client noticed.")
    narrator.say(
        f"Its gateway and servers are stopped. Look around in {workspace.root}: gatewright records, "
        "gatewright report RUN, git log; rollout.svg shows the last rollout. gatewright serve start brings it back."
    )


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--workspace", type=Path, default=EXAMPLE.parents[1] / ".demo", metavar="DIR")
    parser.add_argument("--acts", type=_acts, default=(1, 2, 3, 4), help="which acts to play, beginning with 1: 1,3")
    parser.add_argument("--quick", action="store_true", help="fewer rows and short steps, for tests")
    parser.add_argument("--sabotage", type=_numbers, default=(), metavar="ACTS", help="play these acts wrongly")
    return parser.parse_args()


def _acts(text: str) -> tuple[int, ...]:
    numbers = _numbers(text)
    if numbers[0] != 1:
        raise argparse.ArgumentTypeError(f"{text!r}: the acts begin with 1, the first deployment")
    return numbers


def _numbers(text: str) -> tuple[int, ...]:
    words = text.split(",")
    numbers = tuple(int(word) for word in words if word in ("1", "2", "3", "4"))
    if len(numbers) != len(words) or list(numbers) != sorted(set(numbers)):
        raise argparse.ArgumentTypeError(f"{text!r}: name acts of 1,2,3,4 in order, for example 2,3")
    return numbers


def ignore_signals() -> None:
    """Cleaning up takes a few seconds and must not be interrupted."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int, _: FrameType | None) -> None:
    ignore_signals()
    raise Stopped(number)


if __name__ == "__main__":
    sys.exit(main())
