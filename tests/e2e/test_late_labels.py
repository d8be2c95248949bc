"""Labels that come late, on the real gateway: equal errors and latency, worse answers, and the canary goes back."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass, field
from types import TracebackType

import pytest

from tests.fixtures.live import Project, check_ended

pytestmark = [pytest.mark.xdist_group("live-1"), pytest.mark.slow]
LATE = 60
STEPS = {"steps": [{"weight": 50, "hold": "90s"}], "max_extension": "30s"}


@dataclass
class Clients:
    """Asks one row after the other; tells the truth `LATE` requests later, or keeps it for a file: `spared`."""

    port: int
    answers: dict[str, int] = field(default_factory=dict)
    spared: list[tuple[str, int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    accepted: int = 0

    def __post_init__(self) -> None:
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clients", daemon=True)

    def __enter__(self) -> Clients:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join(30)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=8)
        known: list[tuple[str, int]] = []
        for number in range(100_000):
            if self._ending.wait(0.005):
                return
            age = number * 37 % 61
            row = {"AGE": age, "SEX": 1 + number % 2, "REGION": 1 + number % 3}
            status, name, answer = self._post(connection, "/predict", {"instances": [row]})
            if status != 200:
                self.failures.append(f"{status} {answer}")
                continue
            self.answers[name] = answer["predictions"][0]
            known.append((name, int(age > 30)))
            if len(known) >= LATE and number % 20 == 0:
                told, known = known[: -LATE // 2], known[-LATE // 2 :]
                self.spared += told[::10]
                labels = [
                    {"request_id": name, "label": label} for name, label in told if (name, label) not in self.spared
                ]
                status, _, answer = self._post(connection, "/feedback", {"labels": labels})
                self.accepted += answer.get("accepted", 0) if status == 202 else 0

    def _post(self, connection: http.client.HTTPConnection, path: str, body: object) -> tuple[int, str, dict]:  # type: ignore[type-arg]
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        assert len(response.headers.get_all("x-request-id")) == 1
        return response.status, response.headers["x-request-id"], json.loads(response.read())


def test_a_candidate_with_worse_answers_only_is_rolled_back_by_late_labels(project: Project) -> None:
    margins = {"rollback_margin": 0.05, "promote_margin": 0.2, "block": "1s"}
    project.new_model("useless", gates="none", rollout={**STEPS, "quality": margins})
    with Clients(project.port) as clients:
        run = project.start("run")
        out, err = run.communicate(timeout=110)
    assert run.returncode == 1, out + err
    check_ended(project, project.runs()[-1], "rolled_back")
    rollout = project.rollout()
    assert rollout.why.startswith("quality: the canary has "), rollout.why
    assert "of its labelled answers wrong" in rollout.why
    assert not clients.failures
    assert clients.accepted > 100
    errors = rollout.evidence["errors"].worse
    assert (errors.canary_bad, errors.canary_n > 20) == (0, True)
    labels = project.root / "late.csv"
    rows = [*clients.spared, clients.spared[0], ("unheard-of", 1)]
    labels.write_text("request_id,label\n" + "".join(f"{name},{label}\n" for name, label in rows))
    told = project.command("feedback", "late.csv", "--output", "json")
    assert told.returncode == 0, told.stderr
    counts = json.loads(told.stdout)
    assert counts["file"] == {
        "joined": len(clients.spared), "waiting": 1, "doubled": 1, "conflicting": 0, "unusable": 0,
    }  # fmt: skip
    assert counts["total"]["joined"] == clients.accepted + len(clients.spared)


def test_a_candidate_worse_for_one_region_only_is_rolled_back_by_its_name(project: Project) -> None:
    quality = {"rollback_margin": 0.4, "promote_margin": 0.6, "block": "1s"}
    project.new_model(
        "unfair to region 3",
        gates="none",
        rollout={**STEPS, "alpha": 0.2, "quality": quality, "slices": ["REGION", {"column": "AGE", "bins": [30]}]},
    )
    with Clients(project.port) as clients:
        run = project.start("run")
        out, err = run.communicate(timeout=140)
    assert run.returncode == 1, out + err
    check_ended(project, project.runs()[-1], "rolled_back")
    rollout = project.rollout()
    assert rollout.why.startswith("slices: in REGION=3 the canary has 100.00% of its labelled answers wrong"), (
        rollout.why
    )
    assert rollout.slices is not None
    assert {key.name for key in rollout.slices.keys} == {"REGION=1", "REGION=2", "REGION=3", "AGE<30", "AGE>=30"}
    assert not clients.failures
    told = json.loads(project.command("rollout", "status", "--output", "json").stdout)["slices"]
    assert (told["slices"][0]["name"], told["degraded"]) == ("REGION=3", True)
    assert "REGION=3      quality  100.00%" in project.command("rollout", "status").stdout
