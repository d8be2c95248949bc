"""PipAuditCheck believes an auditor only when it proves that it audited; the fake here lies on demand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gatewright.adapters.checks.auditing import KNOWN_BAD
from gatewright.adapters.checks.pip_audit import Options, PipAuditCheck
from gatewright.adapters.checks.requirements import read_requirements
from gatewright.domain.errors import UnusableInput
from gatewright.domain.project import DependenciesSection
from gatewright.ports import CheckResult, Context
from gatewright.testing import FakeClock

FAKE = """
import json, re, sys, time
mode, arguments = sys.argv[1], sys.argv[2:]
with open("{calls}", "a") as calls:
    calls.write(" ".join(arguments) + chr(10))
lines = open(arguments[-1]).read().split()
probe = lines == {probe}

def entry(line):
    name, version = re.split("[=>]=", line)
    found = dict(name=name, version=version, vulns=[])
    if probe and mode != "ignorant" or name == "leaky":
        found["vulns"] = [dict(id="PYSEC-1", fix_versions=["2.0", "1.5"], aliases=["CVE-1"], description="")]
    if mode == "offline" or mode == "skipped" and name == "private":
        found = dict(name=name, skip_reason="not found")
    if mode == "other-version" and not probe:
        found["version"] = "0.1"
    return found

entries = [entry(line) for line in lines]
if not probe:
    match mode:
        case "hang": time.sleep(600)
        case "broken": print("not json"); sys.exit(0)
        case "half": print('{{"dependencies": ['); sys.exit(1)
        case "empty": print("{{}}"); sys.exit(0)
        case "null": print("null"); sys.exit(0)
        case "crash": print("Traceback", file=sys.stderr); print("boom", file=sys.stderr); sys.exit(3)
        case "refused": print("ERROR: resolution failed", file=sys.stderr); sys.exit(1)
        case "no-reason": print(json.dumps(dict(dependencies=entries))); sys.exit(1)
        case "drops": entries = entries[1:]
        case "twice": entries = entries * 2
        case "transitive": entries.append(dict(name="hidden", skip_reason="private"))
        case "no-vulns": entries = [dict(name=e["name"], version=e["version"]) for e in entries]
print(json.dumps(dict(dependencies=entries, fixes=[])))
sys.exit(int(any(e.get("vulns") for e in entries)))
"""

Audit = Callable[..., CheckResult]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """Audit these requirement lines by a fake auditor in a mode."""
    script = tmp_path / "fake.py"
    script.write_text(
        FAKE.format(calls=tmp_path / "calls", probe=["==".join(each) for each in KNOWN_BAD]), encoding="utf-8"
    )

    def run(mode: str, *lines: str, timeout_s: float = 30.0) -> CheckResult:
        (tmp_path / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        options = Options(command=(sys.executable, "-IS", str(script), mode), timeout_s=timeout_s)
        return PipAuditCheck(options, context(tmp_path)).run(tmp_path)

    return run


def context(root: Path) -> Context:
    return cast("Context", SimpleNamespace(root=root, clock=FakeClock()))


def test_clean(audit: Audit, tmp_path: Path) -> None:
    result = audit("honest", "Solid_Thing==1.0", "other==2.1")
    assert (result.status, result.summary) == ("passed", "2 packages, no known vulnerability")
    assert (tmp_path / "calls").read_text().count("--no-deps --disable-pip") == 2


def test_vulnerable(audit: Audit) -> None:
    result = audit("honest", "leaky==1.0", "solid==2")
    assert (result.status, result.summary) == ("failed", "1 known vulnerability in 2 packages")
    (finding,) = result.findings
    assert (finding.where, finding.rule, finding.what) == ("leaky 1.0", "PYSEC-1", "fixed in 2.0, 1.5 (CVE-1)")


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("offline", "does not know a known-bad package (flask 0.5: not found)"),
        ("ignorant", "comes back without a vulnerability"),
        ("skipped", "not audited: private (not found)"),
        ("drops", "not audited: private (not in the answer)"),
        ("other-version", "asked for 1.0, answered about 0.1"),
        ("transitive", "not audited: hidden (private)"),
        ("twice", "private stands twice"),
        ("no-vulns", "cannot be read (exit code 0, KeyError: 'vulns')"),
        ("broken", "cannot be read (exit code 0"),
        ("half", "cannot be read (exit code 1"),
        ("empty", "cannot be read (exit code 0, KeyError: 'dependencies')"),
        ("null", "cannot be read (exit code 0"),
        ("crash", "exit code 3: boom"),
        ("refused", "ERROR: resolution failed"),
        ("no-reason", "ended with 1 but names no vulnerability"),
    ],
)
def test_an_auditor_that_proves_nothing_is_unavailable(audit: Audit, mode: str, reason: str) -> None:
    result = audit(mode, "private==1.0", "solid==2")
    assert result.status == "unavailable"
    assert reason in result.summary


def test_a_skipped_package_outweighs_a_vulnerable_one(audit: Audit) -> None:
    """Half an audit is not a verdict; the finding comes back once the audit is whole."""
    assert audit("skipped", "private==1.0", "leaky==1").status == "unavailable"


def test_time_limit(audit: Audit) -> None:
    result = audit("hang", "solid==1", timeout_s=1.0)
    assert (result.status, result.summary) == ("unavailable", "pip-audit did not end within 1 s")


def test_missing_tool(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("solid==1\n", encoding="utf-8")
    for command in (("no-such-auditor",), (sys.executable, "-IS", "-m", "pip_audit")):
        result = PipAuditCheck(Options(command=command), context(tmp_path)).run(tmp_path)
        assert result.status == "unavailable"
        assert "no such program" in result.summary or "pip install 'gatewright[checks]'" in result.summary


def test_unpinned_requirements_are_resolved(audit: Audit, tmp_path: Path) -> None:
    assert audit("honest", "solid>=1", "other==2").status == "passed"
    probe, real = (tmp_path / "calls").read_text().splitlines()
    assert "--no-deps" in probe
    assert "--no-deps" not in real


@pytest.mark.parametrize("line", ["", "# only a comment", "solid==1; sys_platform == 'nowhere'"])
def test_nothing_to_audit_is_no_pass(audit: Audit, line: str) -> None:
    result = audit("honest", line)
    assert result.status == "unavailable"
    assert "nothing to audit" in result.summary


@pytest.mark.parametrize("line", ["-e .", "git+https://example.org/x.git", "./wheel.whl", "solid=1"])
def test_what_no_audit_can_speak_about_is_named(audit: Audit, line: str) -> None:
    result = audit("honest", "solid==1", line)
    assert result.status == "unavailable"
    assert f"requirements.txt:2: {line}" in result.summary


def test_a_missing_or_foreign_requirements_file_is_an_error(tmp_path: Path) -> None:
    for name in ("gone.txt", "../outside.txt"):
        with pytest.raises(UnusableInput):
            PipAuditCheck(Options(requirements=name), context(tmp_path)).run(tmp_path)


def test_a_project_s_section_is_enough(tmp_path: Path) -> None:
    (tmp_path / "deps.txt").write_text("", encoding="utf-8")
    section = DependenciesSection(requirements="deps.txt", on_unavailable="warn")
    assert "deps.txt names no package" in PipAuditCheck(section, context(tmp_path)).run(tmp_path).summary


def test_requirements_are_read_as_pip_reads_them(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_text("-r c.txt\nb == 2.*\n", encoding="utf-8")
    (tmp_path / "more" / "c.txt").write_text("c===3\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text(
        "--index-url https://example.org/simple\n"
        "A.b_C[extra]==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11   # why\n"
        "  # a comment\n"
        "-r more/b.txt\n--requirement=more/c.txt\n-c constraints.txt\n"
        "d==1; python_version >= '3'\ne==1,!=2\nf @ https://example.org/f.whl\n",
        encoding="utf-8",
    )
    found = read_requirements(tmp_path, "a.txt")
    assert found.packages == {"a-b-c": "1.0", "c": "3", "b": None, "d": "1", "e": None, "f": None}
    assert found.unreadable == ()
    assert not found.pinned


def test_nested_files_stay_below_the_workspace_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r ../b.txt\n", encoding="utf-8")
    with pytest.raises(UnusableInput):
        read_requirements(tmp_path, "a.txt")
    (tmp_path / "a.txt").write_text("-r a.txt\n", encoding="utf-8")
    assert read_requirements(tmp_path, "a.txt").unreadable == ("a.txt:1: -r a.txt",)
