"""The refresh step by step on a toy project: what each step leaves, what is refused, and that nothing is done twice.

The scoring process is played by a function: production answers by age, with a probability.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gatewright.cli.render import Quiet
from gatewright.domain.errors import DataError, DigestChanged, UnusableInput
from gatewright.domain.labelling import SampleFacts
from gatewright.engine.evalsets.checking import Subject, check
from gatewright.engine.evalsets.exporting import export
from gatewright.engine.evalsets.importing import Imported, Terms, import_labels
from gatewright.engine.evalsets.refreshing import Order, not_due, refresh
from gatewright.engine.evalsets.sampling import Request, take_sample
from gatewright.engine.evalsets.traffic import Source
from gatewright.engine.evalsets.uncertainty import Asked
from gatewright.ports import Job, JobResult, Progress
from gatewright.rules.evalset import check_weighed
from gatewright.rules.fitness.likeness import Limits
from gatewright.rules.labelling.queue import Deal
from gatewright.rules.labelling.sampling import Design
from gatewright.store.samples import SampleFolder, Samples
from gatewright.workspace import Workspace
from tests.fixtures import toy

BEGIN = datetime(2026, 6, 1)
SOURCE = Source(name="traffic.parquet", time="at")
PEOPLE = toy.people(3_000, offset=50_000)
TRUTH = dict(PEOPLE.select(pl.col("id").cast(pl.String), "employed").rows())


@dataclass(kw_only=True)
class Scoring:
    """Answers every row by its age; counts how often it was asked."""

    asked: int = 0

    def run(self, job: Job, progress: Progress) -> JobResult:
        words = json.loads(Path(job.argv[-1]).read_text(encoding="utf-8"))
        self.asked += 1
        data = Path(words["data"])
        rows = pl.read_parquet(data if data.is_file() else data / "*.parquet")
        output = Path(words["output"])
        output.mkdir(parents=True, exist_ok=True)
        share = (pl.col("AGE") / 61).cast(pl.Float64)
        rows.select(
            pl.col(words["id"]).alias("id"),
            pl.col(words["label"]).cast(pl.Int64).alias("label"),
            (share > 0.5).cast(pl.Int64).alias("candidate"),
            share.alias("candidate_score"),
            *words["keep"],
        ).write_parquet(output / "predictions.parquet")
        facts = {"task": "binary", "classes": [0, 1], "positive": 1}
        (output / "models.json").write_text(json.dumps(facts), encoding="utf-8")
        (output / "latency.json").write_text('{"candidate": null, "baseline": null, "ratio": null}', encoding="utf-8")
        return JobResult(code=0, ended="exited", seconds=0.1)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A moment that stands still."""

    moment: datetime = field(default=datetime(2026, 6, 20, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody waits {seconds} s here")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = toy.write_project(tmp_path_factory.mktemp("evalsets") / "project", port=1)
    toy.register(root, "good", serving=True)
    moments = [BEGIN + timedelta(minutes=place) for place in range(PEOPLE.height)]
    PEOPLE.with_columns(at=pl.Series(moments), agent=pl.lit("x")).write_parquet(root / "traffic.parquet")
    return root


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(Path(shutil.copytree(made, tmp_path / "project")), clock=Clock())
    yield replace(opened, executor=Scoring())
    opened.database.close()


def samples(workspace: Workspace) -> Samples:
    return Samples(workspace.root / "state")


def drawn(workspace: Workspace, rows: int = 300, **design: Any) -> tuple[SampleFolder, SampleFacts]:
    request = Request(design=Design(rows=rows, **design), source=SOURCE)
    folder, facts, _ = take_sample(workspace, samples(workspace), request, Quiet())
    return folder, facts


def label(folder: SampleFolder, *, wrong: dict[str, str] | None = None, deal: Deal = Deal()) -> list[Path]:  # noqa: B008
    """Label what is exported as it truly is; `wrong` says otherwise of some rows."""
    target, batches = export(folder, deal)
    folder.labels.mkdir(exist_ok=True)
    files = []
    for batch in batches:
        with (target / batch.name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["employed"] = (wrong or {}).get(row["task"], str(TRUTH[row["task"]]))
        files.append(folder.labels / batch.name)
        with files[-1].open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    return files


def imported(workspace: Workspace, folder: SampleFolder, files: list[Path], **terms: Any) -> Imported:
    return import_labels(workspace, folder, files, Terms(created_by="ada", **terms))


def test_a_sample_has_the_columns_of_the_schema_and_no_label(workspace: Workspace) -> None:
    folder, facts = drawn(workspace, columns=("SEX",))
    rows = folder.rows()
    assert rows.columns == ["id", "AGE", "SEX", "REGION", "weight", "stratum", "random"]
    assert (facts.rows, facts.traffic_rows, facts.window_from) == (300, 3_000, BEGIN.replace(tzinfo=UTC))
    assert facts.parent == workspace.data_versions.latest("people-eval", "eval").version
    assert drawn(workspace, columns=("SEX",))[0].path == folder.path
    assert drawn(workspace, columns=("SEX",), seed=1)[0].path != folder.path
    (folder.path / "sample.parquet").write_bytes((folder.path / "sample.parquet").read_bytes() + b"x")
    with pytest.raises(DigestChanged, match=r"sample\.parquet"):
        folder.rows()


def test_production_is_asked_how_unsure_it_is(workspace: Workspace) -> None:
    _, facts = drawn(workspace, allocation="neyman")
    assert isinstance(workspace.executor, Scoring)
    assert workspace.executor.asked == 1
    by_spread = sorted(facts.strata, key=lambda each: each.spread or 0)
    assert by_spread[-1].sampled / by_spread[-1].traffic > 2 * by_spread[0].sampled / by_spread[0].traffic
    workspace.registry.mark_serving(toy.MODEL, None)
    with pytest.raises(UnusableInput, match="no version in production yet"):
        drawn(workspace, allocation="neyman", seed=5)


def test_a_column_can_say_how_unsure_the_model_is(workspace: Workspace) -> None:
    for column, says in (("nothing", "no column nothing"), ("AGE", "is no probability")):
        request = Request(
            design=Design(rows=300, allocation="neyman"), source=SOURCE, asked=Asked(column=column, probability=False)
        )
        with pytest.raises(UnusableInput, match=says):
            take_sample(workspace, samples(workspace), request, Quiet())


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Source(name="traffic.parquet"), "from when to when this traffic speaks"),
        (Source(name="traffic.parquet", time="AGE"), "is no column of dates"),
        (Source(name="traffic.parquet", time="at", since=datetime(2030, 1, 1, tzinfo=UTC)), "no row has a time"),
        (Source(name="other.csv"), "there is no file other.csv"),
        (Source(name="people-train"), "has no version of role traffic"),
        (Source(name="people-eval@2"), "is eval data, not traffic"),
        (Source(), "the prediction log is empty"),
        (Source(name="../x.csv"), "leads out of"),
    ],
)
def test_traffic_that_cannot_be_used(source: Source, says: str, workspace: Workspace) -> None:
    with pytest.raises(UnusableInput, match=says):
        take_sample(workspace, samples(workspace), Request(design=Design(rows=300), source=source), Quiet())


def test_labels_become_an_immutable_version_with_its_lineage(workspace: Workspace) -> None:
    folder, facts = drawn(workspace, columns=("SEX",))
    files = label(folder, deal=Deal(annotators=2, overlap=0.5))
    found = imported(workspace, folder, files)
    version = found.version
    assert (found.new, version.role, version.rows, version.labels) == (True, "eval", 300, "employed")
    assert (version.data_from, version.data_to) == (facts.window_from, facts.window_to)
    assert version.parent == facts.parent == version.lineage["parent_evaluation"]
    expected = {"sampling": "stratified", "weight": "weight", "stratum": "stratum", "annotators": "a1, a2", "seed": 0}
    assert {name: version.lineage[name] for name in expected} == expected
    assert version.lineage["agreement"] == {
        "rows": 150,
        "percent": 1.0,
        "cohen": 1.0,
        "fleiss": 1.0,
        "krippendorff": 1.0,
    }
    rows = pl.read_parquet(workspace.root / version.uri)
    assert rows["weight"].sum() == pytest.approx(3_000)
    assert dict(rows.select(pl.col("id").cast(pl.String), "employed").rows()).items() <= TRUTH.items()
    again = imported(workspace, folder, files)
    assert (again.new, again.version) == (False, version)


def test_other_labels_for_the_same_sample_overwrite_nothing(workspace: Workspace) -> None:
    folder, _ = drawn(workspace)
    imported(workspace, folder, label(folder))
    one = str(folder.rows()["id"][0])
    with pytest.raises(UnusableInput, match="is there with other labels"):
        imported(workspace, folder, label(folder, wrong={one: str(1 - TRUTH[one])}))


def test_every_problem_of_every_file_is_told_and_nothing_is_written(workspace: Workspace) -> None:
    folder, _ = drawn(workspace)
    before = workspace.data_versions.all("people-eval")
    ids = [str(name) for name in folder.rows()["id"][:3]]
    files = label(folder, wrong={ids[0]: "2", ids[1]: "", ids[2]: "yes"})
    other = folder.path / "more.jsonl"
    other.write_text('{"task": "nobody", "employed": 1}\n{\n', encoding="utf-8")
    with pytest.raises(DataError, match="cannot be taken over: 5 problems") as refused:
        imported(workspace, folder, [*files, other])
    told = str(refused.value)
    said = ("2 is no label; allowed: 0, 1", "'yes' is no int", "the sample has no row 'nobody'", "more.jsonl:2: is not")
    for words in said:
        assert words in told
    assert "1 rows have no label, for example " + ids[1] in told
    assert workspace.data_versions.all("people-eval") == before


def test_rows_without_a_label_leave_their_weight_to_their_stratum(workspace: Workspace) -> None:
    folder, _ = drawn(workspace, columns=("SEX",))
    empty = dict.fromkeys((str(name) for name in folder.rows()["id"][:40]), "")
    found = imported(workspace, folder, label(folder, wrong=empty), missing="reweight")
    assert (found.missing, found.version.rows, found.version.lineage["missing"]) == (40, 260, 40)
    assert pl.read_parquet(workspace.root / found.version.uri)["weight"].sum() == pytest.approx(3_000)


def order(**more: Any) -> Order:
    design = Design(rows=400, columns=("SEX",))
    return Order(request=Request(design=design, source=SOURCE), deal=Deal(), terms=Terms(created_by="ada"), **more)


def test_the_refresh_goes_on_where_it_ended(workspace: Workspace) -> None:
    kept, scoring = samples(workspace), workspace.executor
    assert isinstance(scoring, Scoring)
    first = refresh(workspace, kept, order(), Quiet())
    assert first.waiting
    assert refresh(workspace, kept, order(), Quiet()).folder.path == first.folder.path
    label(first.folder)
    done = refresh(workspace, kept, order(skip=frozenset({"leakage"})), Quiet())
    assert done.version is not None
    assert done.rescored is not None
    assert done.checked is not None
    new, old = done.rescored["new"], done.rescored["old"]
    assert new["evaluation"]["digest"] == done.version.digest != old["evaluation"]["digest"]
    assert new["low"] <= 1.0 <= new["high"]
    assert new["effective_rows"] <= 400
    states = {each["check"]: each["state"] for each in done.checked["findings"]}
    assert states == {"age": "pass", "weights": "pass", "psi": "pass", "separation": "pass"}
    asked = scoring.asked
    again = refresh(workspace, kept, order(), Quiet())
    assert (again.version, again.checked, scoring.asked) == (done.version, done.checked, asked)
    # Killed between two steps: only what is missing is done.
    (done.folder.path / "check.json").unlink()
    assert refresh(workspace, kept, order(skip=frozenset({"leakage"})), Quiet()).checked == done.checked
    assert scoring.asked == asked


def test_it_is_due_when_the_latest_set_ages_or_something_is_on_its_way(workspace: Workspace) -> None:
    kept = samples(workspace)
    latest = workspace.data_versions.latest("people-eval", "eval")
    young = replace(workspace, clock=Clock(moment=latest.data_to + timedelta(days=10)))
    old = replace(workspace, clock=Clock(moment=latest.data_to + timedelta(days=76)))
    assert f"not due until {latest.data_to + timedelta(days=76):%Y-%m-%d}" in (not_due(young, kept) or "")
    assert not_due(old, kept) is None
    drawn(workspace)
    assert not_due(young, kept) is None


def test_check_tells_a_set_that_is_old_unlike_the_traffic_and_in_the_training_data(workspace: Workspace) -> None:
    training = pl.read_parquet(workspace.root / "data" / "train" / "train-0.parquet")
    young = training.filter(pl.col("AGE") < 30).with_columns(pl.col("employed"))
    young.write_parquet(workspace.root / "data" / "leak.parquet")
    toy.add_evaluation(workspace.root, "data/leak.parquet")
    late = replace(workspace, clock=Clock(moment=datetime.now(UTC) + timedelta(days=100)))
    found = check(late, Subject(source=SOURCE, limits=Limits()), Quiet())
    states = {each.check: each.state for each in found.findings}
    assert states.pop("separation") in ("warn", "fail")
    assert states == {"age": "fail", "weights": "pass", "psi": "fail", "leakage": "fail"}
    assert found.state == "fail"
    assert set(found.leaked) == {str(name) for name in young["id"]}


def test_what_cannot_be_told_is_unknown_and_not_passed(workspace: Workspace) -> None:
    found = check(workspace, Subject(source=Source(), limits=Limits(), skip=frozenset({"leakage", "age"})), Quiet())
    assert {each.check: each.state for each in found.findings} == {
        "weights": "pass",
        "psi": "unknown",
        "separation": "unknown",
    }
    assert found.state == "unknown"
    everything = frozenset({"age", "weights", "psi", "separation", "leakage"})
    with pytest.raises(UnusableInput, match="no check is left"):
        check(workspace, Subject(source=Source(), limits=Limits(), skip=everything), Quiet())


def test_a_set_of_hard_examples_is_refused_where_it_is_added_and_where_it_is_used(workspace: Workspace) -> None:
    from gatewright.engine.intake import Addition, add_version

    people = toy.people(200, offset=70_000)
    people.write_parquet(workspace.root / "data" / "hard.parquet")
    hard = Addition(
        name="people-eval",
        kind="file",
        uri="data/hard.parquet",
        role="eval",
        created_by="ada",
        lineage={"sampling": "hard-examples"},
    )
    with pytest.raises(UnusableInput, match="carries no weights: accuracy on it is biased"):
        add_version(
            hard,
            source=workspace.sources["file"],
            versions=workspace.data_versions,
            schema=None,
            scratch=workspace.root / ".gatewright",
            now=datetime.now(UTC),
        )
    sampled = imported(workspace, (folder := drawn(workspace)[0]), label(folder)).version
    with pytest.raises(UnusableInput, match="nobody would use them"):
        check_weighed(sampled, workspace.project.evaluation)
