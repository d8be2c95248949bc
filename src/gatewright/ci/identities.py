"""Identities by OIDC where no action does it: a token in a file, and what the clouds' own libraries read from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatewright.ci.pipeline import Var, shell
from gatewright.domain.ci import CiCredentials

_AUDIENCE = {"aws": "sts.amazonaws.com", "azure": "api://AzureADTokenExchange"}
_FOLDER = "$CI_PROJECT_DIR.tmp"
_FILES = {
    "aws": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "gcp": "GATEWRIGHT_GCP_TOKEN_FILE",
    "azure": "AZURE_FEDERATED_TOKEN_FILE",
}


def token_file(cloud: str) -> str:
    """The variable that names the file with the token for `cloud`."""
    return _FILES[cloud]


def tokens_of(known: CiCredentials) -> dict[str, Any] | None:
    """GitLab's `id_tokens`: one for each cloud, good for that cloud only."""
    audiences = dict(_AUDIENCE)
    if known.gcp is not None:
        audiences["gcp"] = f"https://iam.googleapis.com/{known.gcp.provider}"
    return {f"GATEWRIGHT_{cloud.upper()}_TOKEN": {"aud": audiences[cloud]} for cloud in known.clouds} or None


def names_of(known: CiCredentials) -> dict[str, str]:
    """The variables with which the clouds' libraries know whose token it is; none of them is secret."""
    found: dict[str, str] = {}
    if known.aws is not None:
        found |= {"AWS_ROLE_ARN": known.aws.role, "AWS_REGION": known.aws.region}
    if known.azure is not None:
        found |= {"AZURE_CLIENT_ID": known.azure.client, "AZURE_TENANT_ID": known.azure.tenant}
        found["AZURE_SUBSCRIPTION_ID"] = known.azure.subscription
    return found


def settings_of(known: CiCredentials) -> dict[str, str] | None:
    """The variables of a GitLab job; the files lie in the folder that GitLab keeps beside the checkout."""
    found = names_of(known)
    found |= {_FILES[cloud]: f"{_FOLDER}/{cloud}-token" for cloud in known.clouds}
    if known.gcp is not None:
        found["GOOGLE_APPLICATION_CREDENTIALS"] = f"{_FOLDER}/gcp.json"
    return found or None


def preparation_of(known: CiCredentials) -> Iterator[str]:
    """The lines of a GitLab job that check its secrets and write its tokens where only this user reads them."""
    for name in known.secrets:
        yield f': "${{{name}:?set {name} as a masked and protected variable of the project}}"'
    if known.clouds:
        yield 'umask 077 && mkdir -p "$CI_PROJECT_DIR.tmp"'
    for cloud in known.clouds:
        token = shell((Var(f"GATEWRIGHT_{cloud.upper()}_TOKEN"),))
        yield f"printf %s {token} > {shell((Var(_FILES[cloud]),))}"
    if known.gcp is not None:
        yield google_file(known)


def google_file(known: CiCredentials) -> str:
    """The line that writes what Google's libraries read: where the token lies, and for which account it is."""
    assert known.gcp is not None
    account = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{known.gcp.service_account}"
    form = (
        '{"type":"external_account",'
        f'"audience":"//iam.googleapis.com/{known.gcp.provider}",'
        '"subject_token_type":"urn:ietf:params:oauth:token-type:jwt",'
        '"token_url":"https://sts.googleapis.com/v1/token",'
        f'"service_account_impersonation_url":"{account}:generateAccessToken",'
        '"credential_source":{"file":"%s"}}'
    )
    line = shell(("printf", form, Var(_FILES["gcp"])))
    return f"{line} > {shell((Var('GOOGLE_APPLICATION_CREDENTIALS'),))}"
