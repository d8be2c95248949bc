"""What a model server writes of its answers, and what of it is read again."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.feedback import Label, chosen_row
from gatewright.domain.rollout import LiveSlice
from gatewright.effects.segments import segments
from gatewright.serving.app import ModelApp
from gatewright.serving.models import LoadedModel, load
from gatewright.serving.prediction_log import PredictionLog, asked, logged
from gatewright.serving.slice_keys import SliceKeys
from gatewright.store.asked_slices import ask_for
from gatewright.store.prediction_log import log_folder, parse_label, parse_prediction

ROW = {"AGE": 50, "SEX": 1}
HEADERS = {"x-request-id": "q-1", "x-gatewright-route": "r1|3|500", "x-envoy-attempt-count": "2", "x-user-id": "ada"}


@pytest.fixture(scope="module")
def model(artifact: Path) -> LoadedModel:
    return load(artifact)


def post(app: ModelApp, path: str, body: object, headers: dict[str, str]) -> tuple[int, dict[str, str], dict[str, Any]]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps(body).encode()}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": raw, "query_string": b"", "root_path": ""}
    asyncio.run(app(scope, receive, send))
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, json.loads(sent[1]["body"])


def written(folder: Path, prefix: str = "predictions") -> list[bytes]:
    return [line for path in segments(folder, prefix) for line in path.read_bytes().splitlines()]


def test_an_answer_is_logged_with_its_request_arm_and_split(model: LoadedModel, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, model.short_digest, limit=1 << 20)
    app = ModelApp(model, "employment", log)
    _, headers, answer = post(app, "/predict", {"instances": [ROW, {"AGE": 3}]}, HEADERS)
    assert headers["x-request-id"] == "q-1"
    log.close()
    (line,) = written(tmp_path)
    found = parse_prediction(line)
    assert found is not None
    assert (found.id, found.rollout, found.weight, found.attempt) == ("q-1", "r1", 5.0, 2)
    assert (found.arm, found.outputs) == (model.short_digest, tuple(answer["predictions"]))
    assert 0 <= json.loads(line)["ms"] < 10_000
    assert found.user
    assert "ada" not in line.decode()


def test_the_inference_protocol_is_logged_too(model: LoadedModel, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, model.short_digest, limit=1 << 20)
    inputs = [{"name": name, "shape": [1], "datatype": "FP64", "data": [50.0]} for name in ("AGE", "SEX")]
    app = ModelApp(model, "employment", log)
    status, headers, _ = post(app, "/v2/models/employment/infer", {"inputs": inputs}, HEADERS)
    log.close()
    assert (status, headers["x-request-id"]) == (200, "q-1")
    assert [json.loads(line)["id"] for line in written(tmp_path)] == ["q-1"]


def test_a_refused_request_is_not_logged_and_has_an_id_all_the_same(model: LoadedModel, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, model.short_digest, limit=1 << 20)
    status, headers, _ = post(ModelApp(model, "employment", log), "/predict", {"instances": [{"X": 1}]}, HEADERS)
    log.close()
    assert (status, headers["x-request-id"], written(tmp_path)) == (422, "q-1", [])


def noted(app: ModelApp, log: PredictionLog, folder: Path, *rows: dict[str, object]) -> list[dict[str, Any]]:
    for row in rows:
        post(app, "/predict", {"instances": [row]}, HEADERS)
    log.close()
    return [json.loads(line) for line in written(folder)]


def test_of_the_inputs_only_the_names_of_declared_slices_are_noted(model: LoadedModel, tmp_path: Path) -> None:
    ask_for(tmp_path, (LiveSlice(columns=("SEX",)), LiveSlice(columns=("SEX", "AGE"), bins=(18.0, 65.0))))
    log = PredictionLog(tmp_path, model.short_digest, limit=1 << 20, columns=model.signature.names)
    rows = ({"AGE": 17.25, "SEX": 2}, {"AGE": 18, "SEX": 1}, {"AGE": 99, "SEX": 1.5}, {"AGE": 3})
    found = noted(ModelApp(model, "employment", log), log, tmp_path, *rows)
    assert [entry["slices"] for entry in found] == [
        ["SEX=2", "SEX=2 & AGE<18"],
        ["SEX=1", "SEX=1 & AGE=[18,65)"],
        ["SEX=other", "SEX=other & AGE>=65"],
        ["SEX=null", "SEX=null & AGE<18"],
    ]
    assert b"17.25" not in b"".join(written(tmp_path))


def test_a_request_of_several_rows_has_the_slices_of_the_one_that_counts(model: LoadedModel, tmp_path: Path) -> None:
    ask_for(tmp_path, (LiveSlice(columns=("SEX",)),))
    log = PredictionLog(tmp_path, model.short_digest, limit=1 << 20, columns=model.signature.names)
    post(ModelApp(model, "employment", log), "/predict", {"instances": [{"SEX": n} for n in range(9)]}, HEADERS)
    log.close()
    (line,) = written(tmp_path)
    assert json.loads(line)["slices"] == [f"SEX={chosen_row('q-1', 9)}"]


def test_what_the_model_fails_on_is_noted_where_slices_are_asked_for(fragile_artifact: Path, tmp_path: Path) -> None:
    fragile, folders = load(fragile_artifact), (tmp_path / "asked", tmp_path / "plain")
    ask_for(folders[0], (LiveSlice(columns=("SEX",)),))
    found = []
    for folder in folders:
        log = PredictionLog(folder, fragile.short_digest, limit=1 << 20, columns=fragile.signature.names)
        found.append(noted(ModelApp(fragile, "employment", log), log, folder, {"AGE": 50, "SEX": 1}, {"SEX": 2}))
    assert [(entry["out"], entry["slices"]) for entry in found[0]] == [([1], ["SEX=1"]), ([], ["SEX=2"])]
    assert [entry["out"] for entry in found[1]] == [[1]]


def test_slices_are_taken_up_and_dropped_while_it_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = SliceKeys(tmp_path, ("AGE", "SEX"))
    keys.refresh()
    assert not keys.wanted
    ask_for(tmp_path, (LiveSlice(columns=("SEX",)), LiveSlice(columns=("REGION",))))
    keys.refresh()
    assert keys.names([50.0, 2.0]) == ["SEX=2"]
    assert "slices by REGION are not noted: the model has no such input" in caplog.text
    ask_for(tmp_path, ())
    keys.refresh()
    assert not keys.wanted
    (tmp_path / "slices.json").write_text("damaged")
    keys.refresh()
    assert not keys.wanted


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_a_request_without_a_fit_id_gets_one(name: str) -> None:
    first, second = (asked([(b"x-request-id", name.encode())], b"x-user-id") for _ in range(2))
    assert len(first.id) == 32
    assert first.id != second.id


def test_without_a_log_the_answer_still_carries_the_id(model: LoadedModel) -> None:
    assert post(ModelApp(model, "employment"), "/predict", {"instances": [ROW]}, HEADERS)[1]["x-request-id"] == "q-1"
    refused = post(ModelApp(model, "employment"), "/feedback", {"labels": [{"request_id": "q-1", "label": 1}]}, {})
    assert refused[0] == 409


def test_a_disk_that_refuses_costs_entries_and_no_answer(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    log = PredictionLog(tmp_path, model.short_digest, limit=1 << 20)
    monkeypatch.setattr(os, "write", full)
    assert post(ModelApp(model, "employment", log), "/predict", {"instances": [ROW]}, HEADERS)[0] == 200
    log.close()
    assert "1 answers not logged" in caplog.text


def test_labels_are_on_disk_when_they_are_accepted(model: LoadedModel, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, model.short_digest, limit=1 << 20)
    labels = [{"request_id": "q-1", "label": 1}, {"request_id": "q-2", "label": [0, 1]}]
    labels.append({"request_id": "q-3", "reward": 0.5})
    status, _, answer = post(ModelApp(model, "employment", log), "/feedback", {"labels": labels}, {})
    assert (status, answer) == (202, {"accepted": 3})
    found = [parse_label(line) for line in written(tmp_path, "labels")]
    assert found == [
        Label(id="q-1", values=(1.0,)),
        Label(id="q-2", values=(0.0, 1.0)),
        Label(id="q-3", values=(0.5,), reward=True),
    ]
    log.close()


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"labels": [{"request_id": "q", "label": 1}, {"request_id": "q", "label": "yes"}]}, "labels[1]"),
        ({"labels": [{"request_id": "", "label": 1}]}, "labels[0]"),
        ({"labels": [{"request_id": "q", "label": True}]}, "labels[0]"),
        ({"labels": [{"request_id": "q", "reward": -0.1}]}, "labels[0]"),
        ({"labels": [{"request_id": "q", "label": []}]}, "labels[0]"),
        ({"labels": [{"request_id": "q", "label": 10**400}]}, "labels[0]"),
        ({"labels": [{"id": "q", "label": 1}]}, "labels[0]"),
        ({"labels": []}, None),
        ({"labels": [], "more": 1}, None),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_their_place(
    model: LoadedModel, tmp_path: Path, body: object, where: str | None
) -> None:
    log = PredictionLog(tmp_path, model.short_digest, limit=1 << 20)
    status, _, answer = post(ModelApp(model, "employment", log), "/feedback", body, {})
    log.close()
    assert (status, answer.get("where"), written(tmp_path, "labels")) == (422, where, [])


def test_damaged_lines_are_no_predictions() -> None:
    for line in (
        b"",
        b"{}",
        b'{"id": "a"',
        b"\xff",
        b'{"id":"a","at":1,"route":"","try":1,"arm":"x","user":"","out":[]}',
    ):
        assert parse_prediction(line) is None
    assert parse_label(b'{"request_id": "a"}') is None


def test_the_log_of_a_model_lies_below_the_workspace(tmp_path: Path) -> None:
    assert log_folder(tmp_path, "toy") == tmp_path / ".gatewright" / "predictions-log" / "toy"


def test_inputs_are_logged_only_where_they_may_be(model: LoadedModel, tmp_path: Path) -> None:
    """By name, in JSON without NaN; what nobody allowed is not written, and by default nothing is."""
    features = logged(model.signature.names, ["SEX", "height"])
    log = PredictionLog(tmp_path / "some", model.short_digest, limit=1 << 20, features=features)
    app = ModelApp(model, "employment", log)
    post(app, "/predict", {"instances": [ROW, {"AGE": 3}]}, HEADERS)
    tensors = [{"name": name, "shape": [1], "datatype": "FP64", "data": [2]} for name in model.signature.names]
    post(app, "/v2/models/employment/infer", {"inputs": tensors}, HEADERS)
    log.close()
    assert [json.loads(line)["in"] for line in written(tmp_path / "some")] == [{"SEX": [1, None]}, {"SEX": [2]}]
    silent = PredictionLog(tmp_path / "none", model.short_digest, limit=1 << 20)
    post(ModelApp(model, "employment", silent), "/predict", {"instances": [ROW]}, HEADERS)
    silent.close()
    assert all("in" not in json.loads(line) for line in written(tmp_path / "none"))
