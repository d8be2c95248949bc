"""The worst rows in a process of their own: under 1 s of CPU time and 200 MB, with the same clear error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus import config_rows, report_rows
from tests.corpus.rows import Bad, assert_told, each
from tests.unit.cli.conftest import Told

# Two tests at once on one core's two threads: the same work takes up to twice the CPU time.
SECONDS = 2.0 if "PYTEST_XDIST_WORKER" in os.environ else 1.0
MEGABYTES = 200
# In between, because a process starts with the peak memory of the one that started it.
STARTER = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, timeout=60)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cost = {"seconds": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss / 1024}
print(json.dumps({"code": done.returncode, "out": done.stdout, "err": done.stderr, **cost}))
"""
CONFIGS = [row for row in config_rows.ROWS if row.name in ("alias bomb", "10 MB file", "depth 10,000", "python tags")]
CONFIGS += [row for row in config_rows.ROWS if row.name == "1e9 s hold"][:1]
FLOODS = (
    Bad(name="slices", data="{" + ",".join(f'"S={n}": 0.9' for n in range(120_000)) + "}", says=":1:"),
    Bad(name="twice", data="{" + '"a": 1,' * 290_000 + "}", says=":1:9: the key 'a' stands twice", problems=2000),
    Bad(name="unseen", data="\x01\n" * 1_000_000, says=":1:1: an invisible character (U+0001", problems=2000),
    Bad(name="fields", data="{" + ",".join(f'"k{n}": 1' for n in range(25_000)) + "}", says=":1:1: has 25,000 fields"),
)


def cheaply(*words: str, folder: Path) -> Told:
    """What `gatewright WORDS` says in `folder`; it fails if it costs too much."""
    gatewright = [sys.executable, "-c", "from gatewright.cli.main import main; main()", *words]
    command = [sys.executable, "-c", STARTER, *gatewright]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=True)
    answer = json.loads(done.stdout)
    assert answer.pop("seconds") < SECONDS
    assert answer.pop("megabytes") < MEGABYTES
    return Told(**answer)


@pytest.mark.parametrize("row", each(CONFIGS))
def test_config(row: Bad, tmp_path: Path) -> None:
    row.write(tmp_path / "gatewright.yaml")
    assert_told(cheaply("config", "check", folder=tmp_path), f"gatewright.yaml{row.says}", problems=row.problems)


@pytest.mark.parametrize("row", each(row for row in report_rows.ROWS if row.name == "50 MB"))
def test_report(row: Bad, tmp_path: Path) -> None:
    row.write(tmp_path / "eval.json")
    assert_told(cheaply("gate", "eval.json", "--baseline", "eval.json", folder=tmp_path), row.says)


@pytest.mark.parametrize("row", each(FLOODS))
def test_floods_below_the_limit_of_size(row: Bad, tmp_path: Path) -> None:
    row.write(tmp_path / "eval.json")
    assert (tmp_path / "eval.json").stat().st_size < 2 << 20
    told = cheaply("gate", "eval.json", "--baseline", "eval.json", folder=tmp_path)
    assert_told(told, f"eval.json{row.says}", problems=row.problems)
