"""The watch: one look at everything, or look after look until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gatewright.domain.errors import GatewrightError
from gatewright.effects.files import digest_file
from gatewright.effects.git_remote import fast_forward
from gatewright.engine.watching.claiming import Seen, consider
from gatewright.engine.watching.probing import probe_all
from gatewright.ports import Clock, Trigger
from gatewright.store.claims import Claims
from gatewright.workspace import CONFIG, Workspace

T = TypeVar("T")
_SLICE_S = 0.2
_QUIET = ("same",)


class Tell(Protocol):
    """Where events go; the same trouble of the same thing is told once by the watch itself."""

    def __call__(self, event: str, **facts: Any) -> None:
        """One event with its facts."""


class Watch:
    """Looks at the data of some models; what goes wrong with one is told and tried again, and the others go on."""

    def __init__(
        self,
        root: Path,
        clock: Clock,
        tell: Tell,
        *,
        models: Callable[[], Sequence[str]],
        open_model: Callable[[str], Workspace],
        trigger_of: Callable[[Workspace], tuple[str, Trigger]],
        fetch: bool = False,
        settle_s: float = 0.0,
    ) -> None:
        """`trigger_of` gives the kind of trigger and the trigger of a model; it is asked when a model is opened."""
        self._root = root
        self._clock = clock
        self._tell = tell
        self._models = models
        self._open_model = open_model
        self._trigger_of = trigger_of
        self._fetch = fetch
        self._settle_s = settle_s
        self._config = ""
        self._opened: dict[str, tuple[Workspace, str, Trigger]] = {}
        self._told: dict[str, tuple[str, str]] = {}
        self._stopping = False
        self.troubled = False

    def stop(self, *_: object) -> None:
        """End after the start that is being made; a handler of signals."""
        self._stopping = True

    def run(self, every_s: float) -> None:
        """Look, sleep, again, until it is told to stop. Runs that were started go on by themselves."""
        self._tell("watching", every_s=every_s)
        while not self._stopping:
            self.look()
            left = every_s
            while left > 0 and not self._stopping:
                self._clock.sleep(min(left, _SLICE_S))
                left -= _SLICE_S
        self._tell("stopped")

    def look(self) -> list[tuple[str, Seen]]:
        """One look: fetch, probe, claim, start. What it came to, by model; `troubled` when a part was not possible."""
        self.troubled = False
        if self._fetch:
            self._guarded("fetch", self._fetched)
        found = []
        for model in self._guarded("configuration", self._present_models) or ():
            if self._stopping:
                break
            seen = self._guarded(model, lambda model=model: self._look_at(model))  # type: ignore[misc]
            if seen is not None:
                found.append((model, seen))
        return found

    def retry(self) -> int:
        """Let claims that failed for good be started anew; how many those are."""
        return sum(Claims(self._model(name)[0].database).retry(name, self._clock.now()) for name in self._models())

    def _fetched(self) -> None:
        if (commit := fast_forward(self._root)) is not None:
            self._say("fetch", "fetched", {"why": f"moved forward to {commit[:12]}", "commit": commit})

    def _present_models(self) -> Sequence[str]:
        """The models, opened anew when gatewright.yaml has changed."""
        config = digest_file(self._root / CONFIG)
        if config != self._config:
            for workspace, _, _ in self._opened.values():
                workspace.database.close()
            self._opened.clear()
            self._config = config
        return self._models()

    def _model(self, name: str) -> tuple[Workspace, str, Trigger]:
        if name not in self._opened:
            workspace = self._open_model(name)
            self._opened[name] = (workspace, *self._trigger_of(workspace))
        return self._opened[name]

    def _look_at(self, model: str) -> Seen:
        workspace, kind, trigger = self._model(model)
        for probe in probe_all(workspace, settle_s=self._settle_s):
            if probe.kind not in _QUIET:
                facts = {"model": model, "data": probe.name, "why": probe.why}
                facts |= {"version": probe.version.version} if probe.version else {}
                self._say(f"{model} {probe.name}", probe.kind, facts)
        seen = consider(workspace, trigger, kind)
        self._say(model, seen.event, {"model": model, **seen.facts()})
        return seen

    def _guarded(self, what: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except GatewrightError as error:
            self._say(what, "error", {"of": what, "why": str(error), "fix": error.fix})
        except OSError as error:
            self._say(what, "error", {"of": what, "why": str(error), "fix": "see that it can be read and written"})
        self.troubled = True
        return None

    def _say(self, what: str, event: str, facts: Mapping[str, Any]) -> None:
        """Tell it, unless it is just what was told of the same thing before."""
        if self._told.get(what) != (event, facts["why"]):
            self._told[what] = (event, facts["why"])
            self._tell(event, **facts)
