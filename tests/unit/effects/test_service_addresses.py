"""Which addresses and names of a service may stand in the configuration."""

from __future__ import annotations

import pytest

from gatewright.effects.service_addresses import server_address, service_address


@pytest.mark.parametrize(
    "text",
    [
        "http://169.254.169.254",
        "http://[fe80::1]:9090",
        "http://[::ffff:169.254.169.254]",
        "http://ada:secret@prometheus:9090",
        "http://prometheus:0",
        "http://prometheus:x",
        "http://prometheus?token=1",
        "http://prometheus#here",
        "http://prometheus\\@evil",
        "http://",
        "ftp://prometheus",
        "http://pro metheus",
    ],
)
def test_what_is_no_address_of_a_server_is_none_of_a_service(text: str) -> None:
    assert not server_address(text)
    assert not service_address(text)
    assert not service_address(text.replace("http://", "https://"))


@pytest.mark.parametrize(
    ("text", "takes_a_token"),
    [
        ("https://git.example:8443/api/v3", True),
        ("http://git.example", False),
        ("http://10.0.0.7:9090", False),
        ("http://localhost:8000", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:1", True),
    ],
)
def test_a_token_goes_over_https_or_loopback_only(text: str, takes_a_token: bool) -> None:
    assert server_address(text)
    assert service_address(text) is takes_a_token
