from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gatewright.serving.app import ModelApp
from gatewright.serving.models import LoadedModel, load
from gatewright.serving.requests import MAX_BODY

GOOD = {"AGE": 50, "SEX": 1}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def model(artifact: Path) -> LoadedModel:
    return load(artifact)


@pytest.fixture
def call(model: LoadedModel) -> Call:
    return caller(ModelApp(model, "employment"))


def caller(app: ModelApp) -> Call:
    def call(method: str, path: str, body: object = None) -> Answer:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return asyncio.run(ask(app, method, path, raw))

    return call


async def ask(app: ModelApp, method: str, path: str, body: bytes) -> Answer:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "root_path": ""}
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, json.loads(sent[1]["body"]))


def tensor(name: str, data: list[Any], **changes: Any) -> dict[str, Any]:
    return {"name": name, "shape": [len(data)], "datatype": "FP64", "data": data, **changes}


def test_predict(call: Call, model: LoadedModel) -> None:
    answer = call("POST", "/predict", {"instances": [GOOD, {"AGE": 10, "SEX": None}, {}]})
    assert answer.status == 200
    assert answer.body["predictions"][:2] == [1, 0]
    assert answer.body["predictions"][2] in (0, 1)
    assert answer.body["model_digest"] == model.digest
    assert answer.headers["x-gatewright-model"] == model.digest[7:19]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", None),
        (b"[1]", None),
        (b'{"instances": [{"AGE": NaN}]}', None),
        (b'{"instances": [{"AGE": 1, "AGE": 2}]}', None),
        (b'{"instances": [{"AGE": 1e999}]}', "instances[0].AGE"),
        (b'{"instances": [{"AGE": 1%s}]}' % (b"0" * 400), "instances[0].AGE"),
        ({}, None),
        ({"instances": [GOOD], "colour": 1}, None),
        ({"instances": GOOD}, "instances"),
        ({"instances": []}, "instances"),
        ({"instances": [GOOD] * 10_001}, "instances"),
        ({"instances": [GOOD, 3]}, "instances[1]"),
        ({"instances": [GOOD, {"AEG": 3}]}, "instances[1].AEG"),
        ({"instances": [GOOD, {"SEX": "1"}]}, "instances[1].SEX"),
        ({"instances": [{"SEX": True}]}, "instances[0].SEX"),
    ],
)
def test_a_bad_request_is_told_where_and_what_is_allowed(call: Call, body: object, where: str | None) -> None:
    answer = call("POST", "/predict", body)
    assert answer.status == 422
    assert answer.body.get("where") == where
    assert answer.body["error"]
    assert answer.body["allowed"]


def test_large_bodies_are_refused(call: Call) -> None:
    assert call("POST", "/predict", b" " * (MAX_BODY + 1)).status == 413
    assert call("POST", "/v2/models/employment/infer", b" " * (MAX_BODY + 1)).status == 413


def test_a_model_that_raises_fails_its_request_only(fragile_artifact: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = ModelApp(load(fragile_artifact), "employment")

    async def three() -> list[Answer]:
        bodies = [{"instances": [row]} for row in (GOOD, {"AGE": 50}, GOOD)]
        return await asyncio.gather(*(ask(app, "POST", "/predict", json.dumps(body).encode()) for body in bodies))

    with caplog.at_level(logging.ERROR):
        good, bad, also_good = asyncio.run(three())
    assert (good.status, bad.status, also_good.status) == (200, 500, 200)
    assert bad.body == {"error": "the model raised ValueError: Input X contains NaN."}
    assert bad.headers["x-gatewright-model"] == good.headers["x-gatewright-model"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_failures_are_logged_ever_more_rarely(fragile_artifact: Path, caplog: pytest.LogCaptureFixture) -> None:
    call = caller(ModelApp(load(fragile_artifact), "employment"))
    for path, body in [
        ("/predict", {"instances": [{}]}),
        ("/v2/models/employment/infer", {"inputs": [tensor("AGE", [None]), tensor("SEX", [1])]}),
    ] * 5:
        assert call("POST", path, body).status == 500
    assert len(caplog.records) == 4  # the 1st, 2nd, 4th and 8th of ten


def test_health_and_identity(call: Call, model: LoadedModel) -> None:
    assert call("GET", "/live").status == 200
    assert call("GET", "/ready").body == {"ready": True, "model": "employment", "digest": model.digest}
    assert call("GET", "/v2/health/live").status == 200
    assert call("GET", "/v2/health/ready").status == 200
    assert call("GET", "/v2").body["name"] == "gatewright"
    ready = call("GET", "/v2/models/employment/ready")
    assert (ready.status, ready.body["digest"]) == (200, model.digest)
    assert ready.headers["x-gatewright-model"] == model.digest[7:19]


def test_model_metadata(call: Call) -> None:
    about = call("GET", "/v2/models/employment").body
    assert about["inputs"][0] == {"name": "AGE", "datatype": "FP64", "shape": [-1]}
    assert about["outputs"] == [{"name": "employed", "datatype": "INT64", "shape": [-1]}]


def test_unknown_models_paths_and_methods(call: Call) -> None:
    assert call("GET", "/v2/models/other").status == 404
    assert call("POST", "/v2/models/other/infer", {}).status == 404
    assert call("GET", "/nowhere").status == 404
    assert call("GET", "/predict").status == 405
    assert call("GET", "/v2/models/employment/infer").status == 405


def test_infer(call: Call, model: LoadedModel) -> None:
    columns = [
        tensor("SEX", [[1], [2]], shape=[2, 1], datatype="INT64"),
        tensor("AGE", [50.0, 10.0], shape=[2, 1]),
    ]
    answer = call(
        "POST", "/v2/models/employment/infer", {"id": "a", "inputs": columns, "outputs": [{"name": "employed"}]}
    )
    assert answer.status == 200
    assert answer.body == {
        "model_name": "employment",
        "model_version": model.digest[7:19],
        "id": "a",
        "outputs": [{"name": "employed", "shape": [2], "datatype": "INT64", "data": [1, 0]}],
        "parameters": {"digest": model.digest},
    }


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [tensor("AGE", [1])],
        [tensor("AGE", [1]), tensor("SEX", [1]), tensor("COLOUR", [1])],
        [tensor("AGE", [1]), tensor("SEX", [1]), tensor("AGE", [1])],
        [tensor("AGE", [1]), tensor("SEX", [1, 2])],
        [tensor("AGE", [1]), tensor("SEX", [1], shape=[2])],
        [tensor("AGE", [1]), tensor("SEX", [1, 2], shape=[1, 2])],
        [tensor("AGE", [1]), tensor("SEX", ["1"], datatype="BYTES")],
        [tensor("AGE", [1]), tensor("SEX", [True])],
        [tensor("AGE", [1]), 3],
    ],
)
def test_infer_refuses_what_does_not_fit(call: Call, inputs: list[Any]) -> None:
    answer = call("POST", "/v2/models/employment/infer", {"inputs": inputs})
    assert answer.status == 400
    assert answer.body["error"]
    assert answer.body["allowed"]
