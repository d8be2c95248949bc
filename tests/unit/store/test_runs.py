from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.errors import DigestChanged, UnusableInput, WithProblems
from gatewright.store.runs import CANDIDATE, LOCK, RECORD, VALIDATION, VERDICT, Handoff, RunFolder, Runs

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def handoff(run: str = "run1", status: str = "passed") -> Handoff:
    return Handoff(
        run=run,
        stage="validate",
        status=status,
        started_at=NOW,
        ended_at=NOW,
        inputs={"data": "sha256:1"},
        body={"model": "employment", "checks": [{"name": "ruff", "n": 0}]},
    )


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture
def run(runs: Runs) -> RunFolder:
    folder = runs.create("run1")
    folder.write(LOCK, handoff())
    return folder


def edit(run: RunFolder, name: str, old: str, new: str) -> None:
    path = run.path / f"{name}.json"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def forge(run: RunFolder, name: str, **changes: object) -> None:
    """Edit as somebody who knows how digests are made."""
    path = run.path / f"{name}.json"
    document = {**json.loads(path.read_bytes()), **changes}
    document.pop("digest")
    document = {key: value for key, value in document.items() if value is not None}
    path.write_bytes(canonical_json({**document, "digest": sha256(canonical_json(document))}))


class TestHandoffs:
    def test_what_is_written_is_read(self, run: RunFolder) -> None:
        digest = run.write(VALIDATION, handoff())
        assert run.read(VALIDATION) == handoff()
        assert run.digest(VALIDATION) == digest
        assert run.read(CANDIDATE) is None
        assert not list(run.path.glob(".*"))

    def test_the_same_content_has_the_same_digest(self, run: RunFolder) -> None:
        assert run.write(VALIDATION, handoff()) == run.write(VALIDATION, handoff())
        assert run.write(VALIDATION, handoff(status="failed")) != run.write(VALIDATION, handoff())

    @pytest.mark.parametrize("read", [RunFolder.read, RunFolder.digest])
    def test_an_edited_one_is_refused_by_name(self, run: RunFolder, read: object) -> None:
        run.write(VERDICT, handoff(status="failed"))
        edit(run, VERDICT, '"failed"', '"passed"')
        with pytest.raises(DigestChanged, match=r"verdict\.json changed: recorded sha256:.*, found sha256:"):
            read(run, VERDICT)  # type: ignore[operator]

    def test_one_without_a_digest_is_refused(self, run: RunFolder) -> None:
        (run.path / "verdict.json").write_text('{"status": "passed"}', "utf-8")
        with pytest.raises(DigestChanged, match="recorded none"):
            run.read(VERDICT)

    @pytest.mark.parametrize(
        "damage", [b"", b'{"run": "run1", "st', b"[]", b"\xff\xfe", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"null"]
    )
    def test_one_that_is_half_written_or_no_object_is_refused(self, run: RunFolder, damage: bytes) -> None:
        (run.path / "verdict.json").write_bytes(damage)
        with pytest.raises(WithProblems, match=r"verdict\.json is not a hand-off"):
            run.read(VERDICT)

    def test_one_of_another_run_is_refused(self, runs: Runs, run: RunFolder) -> None:
        other = runs.create("run2")
        other.write(VERDICT, handoff("run2"))
        (run.path / "verdict.json").write_bytes((other.path / "verdict.json").read_bytes())
        with pytest.raises(UnusableInput, match="belongs to run 'run2'"):
            run.read(VERDICT)

    def test_one_stage_cannot_stand_for_another(self, run: RunFolder) -> None:
        run.write(VALIDATION, handoff())
        (run.path / "verdict.json").write_bytes((run.path / "validation.json").read_bytes())
        with pytest.raises(UnusableInput, match="'gatewright/validation/1', not 'gatewright/verdict/1'"):
            run.read(VERDICT)

    @pytest.mark.parametrize("field", ["stage", "status", "started_at", "inputs"])
    def test_one_that_lacks_a_field_is_refused(self, run: RunFolder, field: str) -> None:
        run.write(VERDICT, handoff())
        forge(run, VERDICT, **{field: None})
        with pytest.raises(WithProblems, match=field):
            run.read(VERDICT)

    def test_a_time_that_is_none_is_refused(self, run: RunFolder) -> None:
        run.write(VERDICT, handoff())
        forge(run, VERDICT, ended_at="yesterday")
        with pytest.raises(WithProblems, match="yesterday"):
            run.read(VERDICT)

    def test_a_missing_one_names_the_stage_that_writes_it(self, run: RunFolder) -> None:
        with pytest.raises(UnusableInput, match=r"run1 has no candidate\.json") as refused:
            run.need(CANDIDATE, "train")
        assert refused.value.fix.endswith("gatewright train --run run1")


class TestRuns:
    def test_open_runs_are_those_without_a_record(self, runs: Runs, run: RunFolder) -> None:
        second = runs.create("run2")
        second.write(LOCK, handoff("run2"))
        runs.create("run3")
        run.write(RECORD, handoff())
        assert [found.id for found in runs.all()] == ["run1", "run2"]
        assert [found.id for found in runs.open()] == ["run2"]

    def test_an_unknown_run_is_told_with_the_known_ones(self, runs: Runs, run: RunFolder) -> None:
        with pytest.raises(UnusableInput, match="no run 'run7'") as refused:
            runs.get("run7")
        assert run.id in refused.value.fix

    @pytest.mark.parametrize("name", ["../runs2", "/etc", "a/../../b", "\0"])
    def test_a_run_lies_below_the_folder_of_runs(self, runs: Runs, name: str) -> None:
        with pytest.raises(UnusableInput):
            runs.get(name)

    def test_before_the_first_run_there_is_none(self, runs: Runs) -> None:
        assert runs.all() == ()
        with pytest.raises(UnusableInput) as refused:
            runs.get("run1")
        assert "none yet" in refused.value.fix


HOLDER = """
import sys
from pathlib import Path
from gatewright.store.runs import RunFolder
with RunFolder(Path(sys.argv[1])).hold():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_works_on_a_run_and_a_crash_lets_go(run: RunFolder) -> None:
    command = [sys.executable, "-c", HOLDER, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert run.held()
        with pytest.raises(UnusableInput, match="another process works on run run1"), run.hold():
            raise AssertionError("both work")
        holder.kill()
        holder.wait()
        assert not run.held()
    with run.hold():
        assert run.held()
    assert not run.held()
