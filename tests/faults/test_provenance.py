"""Every link of the chain of a deployment, broken on purpose: verify names it, and the stages refuse what they take."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from gatewright.cli.main import gatewright
from gatewright.domain.documents import canonical_json, pretty_json, read_json, sha256
from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.domain.rollout import Phase
from gatewright.engine import attesting
from gatewright.engine.controller import Controller
from gatewright.engine.provenance.chain import LINKS
from gatewright.engine.reversal import roll_back
from gatewright.engine.signing import signature_path
from gatewright.rules.attestation import SLSA, STATEMENT
from gatewright.store.records import GENESIS
from gatewright.store.runs import HANDOFFS
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures.deployed import chain_of, flip, pretended, run_of
from tests.fixtures.repository import git

pytestmark = [pytest.mark.xdist_group("deployed"), pytest.mark.timeout(300)]


def change_rows(root: Path, *statements: str) -> None:
    with sqlite3.connect(root / ".gatewright" / "state.db") as connection:
        connection.execute("DROP TRIGGER records_are_not_edited")
        connection.execute("DROP TRIGGER records_are_not_deleted")
        for each in statements:
            connection.execute(each)


def test_a_whole_chain_is_proven_link_by_link(deployed: Path) -> None:
    for name, told in (("1", "first deployment allowed by ada"), ("2", "step 1 (50 %) approved by grace")):
        chain = chain_of(deployed, name)
        assert [(link.name, link.state) for link in chain.links] == [(each, "proven") for each in LINKS]
        assert next(link.told for link in chain.links if link.name == "approval") == told


@pytest.mark.parametrize(
    ("file", "link"),
    [
        ("data/train/train-0.parquet", "data"),
        ("data/eval.parquet", "data"),
        ("{run}/lock.json", "data"),
        ("{run}/attestations/lock.json", "data"),
        ("{run}/validation.json", "checks"),
        ("{run}/attestations/validation.json", "checks"),
        ("{run}/sbom.cdx.json", "environment"),
        ("{run}/candidate.json", "environment"),
        ("{run}/model/model.skops", "training"),
        ("{run}/predictions/predictions.parquet", "report"),
        ("{run}/evaluation-report.json", "report"),
        ("{run}/attestations/verdict.json", "verdict"),
        ("{run}/verdict.json", "verdict"),
        ("{registry}/model.skops", "registration"),
        ("{run}/version.json", "registration"),
        ("{run}/model-card.html", "registration"),
        ("{signature}", "registration"),
        ("{run}/rollout.json", "traffic"),
        ("{run}/deployment-record.json", "traffic"),
        ("{run}/attestations/deployment-record.json", "traffic"),
    ],
)
def test_one_byte_anywhere_breaks_the_link_it_belongs_to(deployed: Path, file: str, link: str) -> None:
    run = run_of(deployed)
    version = read_json((run.path / "version.json").read_bytes())["version"]
    signature = signature_path(deployed, "toy", version["artifact"]["digest"])
    flip(deployed / file.format(run=run.path, registry=deployed / version["artifact"]["uri"], signature=signature))
    broken = chain_of(deployed).first_broken
    assert broken is not None
    assert broken.name == link, broken.told


@pytest.mark.parametrize(
    ("statement", "link", "told"),
    [
        ("UPDATE records SET body = replace(body, 'grace', 'mallory') WHERE seq = 6", "records", "record 6"),
        ("UPDATE versions SET report_digest = 'sha256:0' WHERE number = 2", "registration", "report of version 2"),
        ("UPDATE versions SET run = 'other' WHERE number = 2", "registration", "run of version 2"),
        ("UPDATE rollouts SET state = replace(state, '\"canary_bad\":0', '\"canary_bad\":1')", "traffic", "evidence"),
    ],
    ids=["record", "report of a version", "run of a version", "evidence"],
)
def test_a_changed_row_breaks_the_link_it_belongs_to(deployed: Path, statement: str, link: str, told: str) -> None:
    before = Workspace.open(deployed).database.rows("SELECT * FROM rollouts")
    change_rows(deployed, statement)
    if link == "traffic":
        assert [tuple(row) for row in Workspace.open(deployed).database.rows("SELECT * FROM rollouts")] != before
    broken = chain_of(deployed).first_broken
    assert broken is not None
    assert (broken.name, told in broken.told) == (link, True), broken.told


def test_an_approval_that_was_taken_out_of_the_whole_chain_is_missed(deployed: Path) -> None:
    rows = Workspace.open(deployed).database.rows("SELECT * FROM records ORDER BY seq")
    kept, previous = [], GENESIS
    for seq, body in enumerate((read_json(row["body"].encode()) for row in rows if row["seq"] != 6), start=1):
        body["seq"] = seq
        digest = sha256(previous.encode() + canonical_json(body))
        kept.append(
            (seq, body["run"], int(body["kind"] == "promoted"), canonical_json(body).decode(), previous, digest)
        )
        previous = digest
    change_rows(deployed, "DELETE FROM records")
    with sqlite3.connect(deployed / ".gatewright" / "state.db") as connection:
        connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", kept)
    broken = chain_of(deployed).first_broken
    assert broken is not None
    assert (broken.name, "no record says that it was approved" in broken.told) == ("approval", True)


def test_a_run_forged_as_a_whole_does_not_fit_the_records(deployed: Path) -> None:
    run = run_of(deployed)
    digests: dict[str, str] = {}
    for name in HANDOFFS[:-1]:
        path = run.path / f"{name}.json"
        document = read_json(path.read_bytes())
        document.pop("digest")
        document["inputs"] |= {each: digests[each] for each in document["inputs"] if each in digests}
        if name == "validation":
            document["warnings"] = ["nothing to see here"]
        digests[f"{name}.json"] = sha256(canonical_json(document))
        path.write_bytes(pretty_json({**document, "digest": digests[f"{name}.json"]}))
    attesting.attest(run)
    broken = chain_of(deployed).first_broken
    assert broken is not None
    assert broken.name in ("registration", "traffic")
    assert "report" in broken.told or "verdict" in broken.told


def test_another_content_under_the_same_commit_breaks_the_code(deployed: Path) -> None:
    first, second = git(deployed, "rev-list", "--reverse", "HEAD").split()
    git(deployed, "replace", second, first)
    broken = chain_of(deployed).first_broken
    assert broken is not None
    assert (broken.name, f"the code of commit {second[:12]}" in broken.told) == ("code", True)


def test_a_version_that_was_brought_back_is_proven_too(deployed: Path) -> None:
    workspace = pretended(deployed)
    rollout = roll_back(workspace, "ada", "it smells")
    assert rollout is not None
    Controller(workspace, Silent()).drive(rollout, until=(Phase.PROMOTED,))
    workspace.database.close()
    for name in ("1", rollout.id):
        chain = chain_of(deployed, name)
        assert (chain.deployment, chain.state) == (rollout.id, "proven")
        told = {link.name: link.told for link in chain.links}
        assert told["approval"] == "brought back by ada"
        assert told["traffic"].startswith("restored by ada, record 12")
    assert chain_of(deployed).state == "proven"


def test_what_cannot_be_proven_is_no_proof(deployed: Path) -> None:
    shutil.rmtree(deployed / ".git")
    chain = chain_of(deployed)
    assert (chain.state, chain.first_broken) == ("unproven", None)
    assert [link.name for link in chain.links if link.state == "unproven"] == ["code"]
    told = CliRunner().invoke(gatewright, ["verify", "2", "-C", str(deployed)])
    assert (told.exit_code, "nothing is broken; not proven here: code" in told.output) == (3, True)


def test_the_command_draws_the_chain_and_names_the_first_broken_link(deployed: Path) -> None:
    whole = CliRunner().invoke(gatewright, ["verify", "record:9", "-C", str(deployed)])
    assert (whole.exit_code, whole.output.count("✓"), "all 11 links hold" in whole.output) == (0, 11, True)
    flip(run_of(deployed).path / "verdict.json")
    (deployed / "data" / "eval.parquet").unlink()
    broken = CliRunner().invoke(gatewright, ["verify", "2", "-C", str(deployed)])
    assert (broken.exit_code, broken.output.splitlines()[-1].partition(": ")[2]) == (1, "BROKEN at data")
    assert "eval.parquet" in broken.output
    document = json.loads(
        CliRunner().invoke(gatewright, ["verify", "2", "-C", str(deployed), "--output", "json"]).output
    )
    assert (document["state"], document["first_broken"]) == ("broken", "data")
    states = {link["name"]: link["state"] for link in document["links"]}
    assert (states["verdict"], states["code"], states["registration"]) == ("broken", "proven", "broken")


@pytest.mark.parametrize(
    ("name", "told"),
    [("9", "no version 9"), ("record:1000", "no record"), ("record:x", "no record"), ("toy-9-ffffff", "no deployment")],
)
def test_an_unknown_deployment_is_unusable_input(deployed: Path, name: str, told: str) -> None:
    with pytest.raises(UnusableInput, match=told):
        chain_of(deployed, name)


def test_each_statement_is_made_from_its_hand_off_and_names_what_was_made(deployed: Path) -> None:
    run = run_of(deployed)
    found = {name: read_json(attesting.path_of(run, name).read_bytes()) for name in HANDOFFS}
    assert {each["_type"] for each in found.values()} == {STATEMENT}
    assert len({each["predicateType"] for each in found.values()}) == len(HANDOFFS)
    assert found["candidate"]["predicateType"] == SLSA
    for name, statement in found.items():
        hand_off, *made = statement["subject"]
        assert hand_off["name"] == f"{name}.json"
        assert hand_off["digest"]["gatewrightJsonV1"] == run.digest(name).removeprefix("sha256:")
        outputs = run.need(name, "").outputs
        assert {each["name"]: next(iter(each["digest"].values())) for each in made} == {
            name: digest.removeprefix("sha256:") for name, digest in outputs.items()
        }
    dependencies = found["candidate"]["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {each["name"] for each in dependencies} == {
        "lock.json", "validation.json", "train", "code", "environment", "requirements.txt",
    }  # fmt: skip
    attesting.path_of(run, "verdict").unlink()
    attesting.attest(run)
    assert read_json(attesting.path_of(run, "verdict").read_bytes()) == found["verdict"]


def test_the_path_of_the_private_key_is_nowhere(deployed: Path, deployed_once: Path) -> None:
    private = str(deployed_once.parent / "key.pem").encode()
    files = [path for path in deployed.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert [path for path in files if private in path.read_bytes()] == []


def test_the_card_is_with_the_run_and_its_foreign_text_stays_text(deployed: Path) -> None:
    run = run_of(deployed)
    for name, form in (("model-card.md", "markdown"), ("model-card.html", "html")):
        kept = (run.path / name).read_text()
        told = CliRunner().invoke(gatewright, ["card", "2", "--format", form, "-C", str(deployed)])
        assert (told.exit_code, told.output.strip()) == (0, kept.strip())
        for part in ("REGION=1", "demographic parity", "people-eval", "600"):
            assert part.lower() in kept.replace("\\", "").lower(), part
        assert "<b>" not in kept
        assert "&lt;b&gt;toys" in kept
    assert "@toy" not in (run.path / "model-card.md").read_text()
    assert "It is \\| a toy." in (run.path / "model-card.md").read_text()


def test_the_bill_of_materials_fits_its_schema_and_lists_what_trained(deployed: Path) -> None:
    run = run_of(deployed)
    told = CliRunner().invoke(gatewright, ["sbom", "--run", run.id, "-C", str(deployed)])
    assert (told.exit_code, told.output.strip()) == (0, (run.path / "sbom.cdx.json").read_text().strip())
    bill = json.loads(told.output)
    environment = run.need("candidate", "train").body["environment"]
    assert {each["name"]: each["version"] for each in bill["components"]} == environment["packages"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(told.output) is None
    flip(run.path / "sbom.cdx.json")
    refused = CliRunner().invoke(gatewright, ["sbom", "--run", run.id, "-C", str(deployed)])
    assert isinstance(refused.exception, DigestChanged)
