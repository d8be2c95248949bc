"""Who we are to a tracking server: only from the environment variables that MLflow itself knows, never from a file."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from gatewright.domain.errors import UnusableInput

if TYPE_CHECKING:
    import ssl

ADDRESS = "MLFLOW_TRACKING_URI"
_USER, _PASSWORD, _TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
_UNSPOKEN = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4")
_HIDDEN = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a call carries; nothing of it is shown by repr."""

    header: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    insecure: bool = False
    authority: str | None = None
    certificate: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Credentials:
        """What the environment says now; UnusableInput for ways to sign in that are not spoken here."""
        for name in _UNSPOKEN:
            if environment.get(name, "").lower() not in ("", "false", "0"):
                raise UnusableInput(
                    f"{name} is set, which gatewright does not speak",
                    fix=f"sign in by {_TOKEN}, or by {_USER} and {_PASSWORD}",
                )
        user, password, token = (environment.get(name, "") for name in (_USER, _PASSWORD, _TOKEN))
        header, secrets = None, [password, token]
        if user and password:
            basic = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
            header, secrets = f"Basic {basic}", [*secrets, basic]
        elif token:
            header = f"Bearer {token}"
        if header is not None and not header.isprintable():
            raise UnusableInput(f"{_USER}, {_PASSWORD} or {_TOKEN} holds a line break", fix="set it without one")
        return cls(
            header=header,
            secrets=tuple(secret for secret in secrets if secret),
            insecure=environment.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"),
            authority=environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or None,
            certificate=environment.get("MLFLOW_TRACKING_CLIENT_CERT_PATH") or None,
        )

    def redacted(self, text: str) -> str:
        """`text` without any of the secrets, for errors and logs."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text

    def tls(self) -> ssl.SSLContext:
        """How the server is proven; UnusableInput for a certificate that cannot be read."""
        import ssl

        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate)
        except OSError as error:
            raise UnusableInput(
                f"a certificate cannot be read: {error.strerror or error}",
                fix="see MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_CLIENT_CERT_PATH",
            ) from error
        if self.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


def address_of(written: str | None, environment: Mapping[str, str] = os.environ) -> SplitResult:
    """The tracking server, from gatewright.yaml or else the environment; UnusableInput when it is none."""
    text, where = (written, "registry.tracking_uri") if written else (environment.get(ADDRESS, ""), ADDRESS)
    if not text:
        raise UnusableInput(
            "no MLflow tracking server is named", fix=f"set {ADDRESS}, or registry.tracking_uri in gatewright.yaml"
        )
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UnusableInput(f"{where} is no URL", fix="write it like https://mlflow.example.org") from error
    if parts.username or parts.password:
        raise UnusableInput(
            f"{where} holds credentials", fix=f"take them out of it: {_USER} and {_PASSWORD}, or {_TOKEN}"
        )
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise UnusableInput(
            f"{where} is no address of a tracking server; allowed: http://HOST:PORT or https://HOST/PATH",
            fix="start one with `mlflow server`; folders and databases are reached through it",
        )
    return parts
