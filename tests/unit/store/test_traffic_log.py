"""The prediction log as a table of traffic: rows with their inputs, of both arms, within a window."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.serving.prediction_log import Asked, PredictionLog, logged
from gatewright.store.traffic_log import read_traffic


def write(
    folder: Path,
    arm: str,
    *requests: tuple[str, float, bytes, list[list[float]]],
    inputs: bool = True,
    route: bytes = b"",
) -> None:
    features = logged(["AGE", "SEX", "name"], ["SEX", "AGE", "height"]) if inputs else {}
    log = PredictionLog(folder, arm, limit=1 << 20, features=features)
    for name, at, attempt, rows in requests:
        asked = Asked(name.encode(), route, attempt, b"", at)
        log.note(asked, [float(row[0] > 30) for row in rows], np.array(rows, dtype=np.float64))
    log.close()


def test_rows_of_both_arms_with_what_may_be_logged(tmp_path: Path) -> None:
    write(
        tmp_path, "aaa", ("q1", 100.0, b"1", [[40, 1, 7]]), ("q2", 200.0, b"1", [[20, float("nan"), 7], [31.5, 2, 7]])
    )
    write(tmp_path, "bbb", ("q3", 300.0, b"1", [[50, 1, 7]]))
    found = read_traffic(tmp_path)
    assert found.columns == ["request", "at", "arm", "prediction", "AGE", "SEX"]
    assert found.sort("request").rows() == [
        ("q1", 100.0, "aaa", 1.0, 40.0, 1),
        ("q2#0", 200.0, "aaa", 0.0, 20.0, None),
        ("q2#1", 200.0, "aaa", 1.0, 31.5, 2),
        ("q3", 300.0, "bbb", 1.0, 50.0, 1),
    ]
    until = datetime.fromtimestamp(250, UTC)
    assert sorted(read_traffic(tmp_path, until=until)["request"]) == ["q1", "q2#0", "q2#1"]
    assert sorted(read_traffic(tmp_path, since=until)["request"]) == ["q3"]


def test_a_copy_for_a_canary_in_the_shadow_is_no_traffic(tmp_path: Path) -> None:
    write(tmp_path, "aaa", ("q1", 100.0, b"1", [[40, 1, 7]]), route=b"r1|3|0|mirrored")
    write(tmp_path, "bbb", ("q1", 100.5, b"1", [[40, 1, 7]]), ("q2", 101.0, b"1", [[50, 1, 7]]), route=b"r1|3|0|copy")
    assert read_traffic(tmp_path).select("request", "arm").rows() == [("q1", "aaa")]


def test_of_a_request_that_was_tried_twice_the_last_answer_counts(tmp_path: Path) -> None:
    write(tmp_path, "bbb", ("q1", 101.0, b"2", [[40, 1, 7]]))
    write(tmp_path, "aaa", ("q1", 100.0, b"1", [[40, 1, 7]]))
    assert read_traffic(tmp_path)["arm"].to_list() == ["bbb"]


def test_a_log_without_inputs_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="the prediction log is empty"):
        read_traffic(tmp_path)
    write(tmp_path, "aaa", ("q1", 100.0, b"1", [[40, 1, 7]]), inputs=False)
    with pytest.raises(UnusableInput, match="holds no inputs") as refused:
        read_traffic(tmp_path)
    assert "log_features" in refused.value.fix


def test_damaged_lines_cost_only_themselves(tmp_path: Path) -> None:
    write(tmp_path, "aaa", ("q1", 100.0, b"1", [[40, 1, 7]]))
    good = next(tmp_path.glob("*.jsonl"))
    line = good.read_bytes()
    good.write_bytes(b"{\n" + line + line.replace(b'"q1"', b'"q2"').replace(b"[40]", b"[40,41]"))
    assert read_traffic(tmp_path)["request"].to_list() == ["q1"]
