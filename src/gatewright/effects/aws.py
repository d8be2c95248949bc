"""Clients of AWS: opened when they are needed, bounded in time and tries, every failure told as what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from gatewright.domain.errors import UnusableInput, WorldFailed

TRIES = 3
_INSTALL = "pip install 'gatewright[sagemaker]'"
_CREDENTIALS = "give them by the environment (AWS_PROFILE, AWS_ACCESS_KEY_ID, …) or by a role of this machine"
_STRANGERS = ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch")
_SKEWED = ("RequestTimeTooSkewed", "InvalidSignatureException", "SignatureDoesNotMatch")
_OFF = ("RequestTimeTooSkewed", "Signature expired", "Signature not yet current")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_THROTTLED = (
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "429",
)
_MISSING = ("ValidationException", "ResourceNotFound")
_ABSENT = ("does not exist", "not found", "could not find", "cannot find")
_ELSEWHERE = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301")


class Refused(WorldFailed):
    """The service understood and said no; `code` is its word for why."""

    def __init__(self, what: str, *, code: str, fix: str = "") -> None:
        super().__init__(what, fix=fix)
        self.code = code


def opened(service: str, region: str | None, timeout_s: float) -> Any:
    """A client of `service`, in a session of its own; three tries a call, `timeout_s` for each answer.

    UnusableInput without boto3, a region or the named profile.
    """
    try:
        import boto3
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise UnusableInput(f"AWS needs a package that is not installed: {error.name}", fix=_INSTALL) from error
    config = Config(
        connect_timeout=min(timeout_s, 10.0),
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        user_agent_extra="gatewright",
    )
    session = botocore.session.get_session()
    session.register_component("data_loader", _loader())
    try:
        return boto3.Session(botocore_session=session).client(service, region_name=region, config=config)
    except BotoCoreError as error:
        raise UnusableInput(
            f"no client of {service} can be made: {_first_line(error)}",
            fix="set the region (AWS_DEFAULT_REGION, or `region` in gatewright.yaml) and check AWS_PROFILE",
        ) from error
    except ValueError as error:
        raise UnusableInput(f"{service}: {_first_line(error)}", fix="check AWS_ENDPOINT_URL and the region") from error


def is_absent(error: Refused) -> bool:
    """Whether the service says that what was asked for is not there."""
    return error.code in _MISSING and any(word in str(error).lower() for word in _ABSENT)


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Tell whatever goes wrong while AWS is asked for `what`: Refused with its code, or WorldFailed.

    What an answer must hold is looked up inside, so that one without it is told, too.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        HTTPClientError,
        NoCredentialsError,
        ParamValidationError,
        PartialCredentialsError,
    )
    from botocore.exceptions import ConnectionError as Unconnected
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise _told(what, error.response) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise WorldFailed(f"{what}: there are no credentials for AWS", fix=_CREDENTIALS) from error
    except ParamValidationError as error:
        raise UnusableInput(f"{what}: {' '.join(str(error).split())[:300]}", fix="mend gatewright.yaml") from error
    except (HTTPClientError, Unconnected) as error:
        raise WorldFailed(
            f"{what}: AWS cannot be reached: {_first_line(error)}",
            fix="check the network, the region and AWS_ENDPOINT_URL, then try again",
        ) from error
    except (ResponseParserError, KeyError) as error:  # of HTML with status 200 botocore makes an empty answer
        raise WorldFailed(
            f"{what}: the answer is none of AWS", fix="is that AWS, or a proxy's error? Check AWS_ENDPOINT_URL"
        ) from error
    except BotoCoreError as error:
        raise WorldFailed(f"{what}: {_first_line(error)}", fix="check the AWS settings of this environment") from error


@cache
def _loader() -> Any:
    """Descriptions of services, read once a process: SageMaker's costs 0.2 s of CPU."""
    from botocore.loaders import create_loader

    return create_loader()


def _told(what: str, response: dict[str, Any]) -> Refused:
    told = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(told.get("Code", "")) or str(status)
    message = str(told.get("Message", "")).strip().partition("\n")[0][:300]
    said = f"{what}: {code}" + (f" ({message})" if message and message != code else "")
    if code in _THROTTLED or status == 429:
        return Refused(f"{said}, {TRIES} times", code=code, fix="AWS throttles this account: wait, or raise the quota")
    if code in _SKEWED and any(word in f"{code} {message}" for word in _OFF):
        return Refused(said, code=code, fix="AWS refuses what is signed minutes off: set the clock of this machine")
    if code in _EXPIRED:
        return Refused(said, code=code, fix="the credentials have expired: sign in again")
    if code in _STRANGERS:
        return Refused(said, code=code, fix=f"AWS does not know these credentials; {_CREDENTIALS}")
    if code in _DENIED or status == 403:
        return Refused(f"{said}: access is refused", code=code, fix="docs/sagemaker.md lists the permissions needed")
    if code in _ELSEWHERE or status == 301:
        return Refused(f"{said}: it lies in another region", code=code, fix="set `region` to the one of the bucket")
    if code == "NoSuchBucket":
        return Refused(said, code=code, fix="create the bucket, or mend its name in gatewright.yaml")
    if status >= 500:
        return Refused(f"{said}: AWS failed {TRIES} times", code=code, fix="see the AWS health page, then try again")
    return Refused(said, code=code, fix="see docs/sagemaker.md")


def _first_line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]
