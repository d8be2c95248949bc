"""Section `ci`: what could not be written into a file of a CI without harm is refused, with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.combinations import BASE
from tests.unit.config.installed import read_all, told

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"branch": "main' || true || '"}, "ci.branch"),
    ({"branch": "${{ github.head_ref }}"}, "ci.branch"),
    ({"paths": ["models/**'; rm -rf /"]}, "ci.paths[0]"),
    ({"python": "3"}, "ci.python"),
    ({"image": "python:3.12"}, "ci.image"),
    ({"image": "python@sha256:abc"}, "ci.image"),
    ({"runners": {"deploy": ["a b"]}}, "ci.runners.deploy[0]"),
    ({"runners": {"train": ["gpu"]}}, "ci.runners.train"),
    ({"schedule": {"tick": "every minute"}}, "ci.schedule.tick"),
    ({"schedule": {"tick": "* * * *"}}, "ci.schedule.tick"),
    ({"environments": {"canary": "live canary"}}, "ci.environments.canary"),
    ({"credentials": {"aws": {"role": "admin", "region": "eu-west-1"}}}, "ci.credentials.aws.role"),
    ({"credentials": {"gcp": {"provider": "pool", "service_account": "a@b.c"}}}, "ci.credentials.gcp.provider"),
    ({"credentials": {"secrets": ["token"]}}, "ci.credentials.secrets[0]"),
    ({"credentials": {"secrets": ["DATA_VERSION"]}}, "ci.credentials.secrets[0]"),
    ({"credentials": {"secrets": ["PATH"]}}, "ci.credentials.secrets[0]"),
    ({"jobs": [{"name": "train", "run": ["make"]}]}, "ci.jobs[0].name"),
    ({"jobs": [{"name": "a", "run": ["make"]}, {"name": "a", "run": ["make"]}]}, "ci.jobs[1].name"),
    ({"jobs": [{"name": "a b", "run": ["make"]}]}, "ci.jobs[0].name"),
    ({"jobs": [{"name": "a", "run": ["echo", "${{ github.head_ref }}"]}]}, "ci.jobs[0].run[1]"),
    ({"install": [["pip", "install", "$[[ inputs.x ]]"]]}, "ci.install[0][2]"),
    ({"after": ["build; rm"]}, "ci.after[0]"),
    ({"last": "jobs"}, "ci.last"),
]


@pytest.mark.parametrize(("section", "field"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_could_do_harm_is_refused(tmp_path: Path, section: dict[str, Any], field: str) -> None:
    found = told(tmp_path, json.dumps({**BASE, "ci": section}))
    assert [line.split(" ")[1] for line in found] == [field]


def test_where_a_pipeline_runs_changes_no_model(tmp_path: Path) -> None:
    plain = read_all(tmp_path, json.dumps(BASE)).digests
    assert read_all(tmp_path, json.dumps({**BASE, "ci": {"branch": "trunk"}})).digests == plain
    assert read_all(tmp_path, json.dumps({**BASE, "fairness": {"positive": 0}})).digests != plain
