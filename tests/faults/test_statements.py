"""The statements as the in-toto project's own reader sees them: its protobufs, which take no unknown field."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from gatewright.engine.attesting import path_of
from gatewright.rules.attestation import SLSA
from gatewright.store.runs import HANDOFFS
from tests.fixtures.deployed import run_of

pytestmark = [pytest.mark.xdist_group("deployed"), pytest.mark.timeout(300)]


def read(content: bytes) -> Any:
    """The statement as the reader has it; json_format.ParseError for a field or type that it does not know."""
    found = json_format.Parse(content, statement_pb2.Statement())
    Statement.copy_from_pb(found).validate()
    return found


@pytest.mark.parametrize("name", HANDOFFS)
def test_every_statement_is_read_and_says_the_same_again(deployed: Path, name: str) -> None:
    content = path_of(run_of(deployed), name).read_bytes()
    found = read(content)
    assert json_format.MessageToDict(found) == json.loads(content)
    names = [subject.name for subject in found.subject]
    assert len(set(names)) == len(names) > 0
    assert all(subject.digest for subject in found.subject)


def test_training_is_slsa_provenance_with_builder_parameters_and_materials(deployed: Path) -> None:
    found = read(path_of(run_of(deployed), "candidate").read_bytes())
    assert found.predicate_type == SLSA
    predicate = json_format.MessageToDict(found.predicate)
    provenance = json_format.ParseDict(predicate, provenance_pb2.Provenance())
    definition, details = provenance.build_definition, provenance.run_details
    # https://slsa.dev/spec/v1.0/provenance: these three must be there.
    assert definition.build_type == "urn:gatewright:train:v1"
    assert details.builder.id == "urn:gatewright:builder:local"
    assert len(definition.external_parameters) > 0
    assert {each.name for each in definition.resolved_dependencies} >= {"train", "code", "environment"}
    assert details.metadata.finished_on.ToDatetime() >= details.metadata.started_on.ToDatetime() > datetime(2020, 1, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"predicateType":', b'"predicateKind":'),
        (b'"_type":"https://in-toto.io/Statement/v1"', b'"_type":"https://in-toto.io/Statement/v2"'),
        (b'"digest":{"gatewrightJsonV1":', b'"digests":{"gatewrightJsonV1":'),
    ],
)
def test_the_reader_refuses_what_is_no_statement(deployed: Path, old: bytes, new: bytes) -> None:
    content = path_of(run_of(deployed), "verdict").read_bytes()
    assert old in content
    with pytest.raises((json_format.ParseError, ValueError)):
        read(content.replace(old, new))
