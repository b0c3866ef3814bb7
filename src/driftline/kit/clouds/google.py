"""Credentials and errors that are the same for all services of Google Cloud.

Does not store a credential: the SDK finds and renews them. The SDK is imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from driftline.kit.stores.retry import parse_retry_after
from driftline.types.errors import Rejected, Retryable, SourceBusy, SourceError

T = TypeVar("T")
NO_CREDENTIALS = (
    "no Google Cloud credentials were found: give the machine a service account, "
    "or set credentials_file, or anonymous: true"
)


def import_sdk(service: str, package: str = "") -> Any:
    """Import the module `google.cloud.SERVICE` of `google-cloud-PACKAGE`, by default of its name.

    Raises SourceError where it is not installed.
    """
    try:
        return import_module(f"google.cloud.{service}")
    except ImportError:
        raise SourceError(
            f"google-cloud-{package or service} is not installed: pip install 'driftline[gcp]'"
        ) from None


def load_credentials(scope: str, file: Path | None, *, anonymous: bool) -> Any:
    """Return the credentials of a service account's key file, or those that the machine has.

    Raises SourceError where there are none.
    """
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import service_account

    if anonymous:
        return AnonymousCredentials()
    try:
        if file is not None:
            return service_account.Credentials.from_service_account_file(str(file), scopes=[scope])
        return google.auth.default([scope])[0]
    except (GoogleAuthError, OSError, ValueError) as error:
        raise SourceError(f"{file}: {error}" if file else NO_CREDENTIALS) from None


def access_token(credentials: Any) -> str:
    """Return a token of the credentials; renew it when it has expired.

    Raises Rejected, or Retryable where the service is not reachable.
    """
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    try:
        if not credentials.valid:
            credentials.refresh(Request())
    except TransportError as error:
        raise Retryable(f"the credentials could not be renewed just now: {error}") from None
    except GoogleAuthError as error:
        raise Rejected(
            f"the credentials could not be renewed ({identity(credentials)}): {error}"
        ) from None
    return str(credentials.token)


def identity(credentials: Any) -> str:
    """Return the name of the account, for people."""
    from google.auth.credentials import AnonymousCredentials

    if credentials is None:
        return "no credentials"
    if isinstance(credentials, AnonymousCredentials):
        return "anonymous"
    email = getattr(credentials, "service_account_email", None)
    return str(email or f"{type(credentials).__module__} credentials")


def translate_errors(send: Callable[[], T], translate: Callable[[Exception], SourceError]) -> T:
    """Return the result of `send()`; raise `translate(error)` in place of the SDK's errors.

    A conflict (409) is raised as it is: the SDK handles it.
    """
    from google.api_core.exceptions import Conflict, GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        return send()
    except Conflict:
        raise
    except (GoogleAPICallError, GoogleAuthError, RequestException, ConnectionError) as error:
        raise translate(error) from None


def error_details(error: Exception) -> tuple[int, str, str]:
    """Return the HTTP status, the reason and the message of an error.

    The status is 0 for an error that is no answer of a service.
    """
    first = (getattr(error, "errors", None) or [{}])[0]
    # An error of gRPC has the error of the call there, no description.
    details = first if isinstance(first, dict) else {}
    message = details.get("message") or getattr(error, "message", "")
    message = str(message or f"{type(error).__name__}: {error}")
    status = int(getattr(error, "code", None) or 0)
    return status, str(details.get("reason") or ""), " ".join(message.split())


def translate_error(error: Exception, place: str, account: str) -> SourceError:
    """Return driftline's error for an error of the SDK that any service may raise.

    It is SourceBusy where another try may succeed. `place` is what the request was about, and
    `account` is the identity of the credentials.
    """
    from google.auth.exceptions import GoogleAuthError, TransportError

    status, reason, message = error_details(error)
    if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError):
        return SourceError(f"{place}: the credentials could not be renewed ({account}): {message}")
    if status == 0:
        return SourceBusy(f"{place}: {message}")
    if status == 429 or status >= 500 or reason == "rateLimitExceeded":
        headers = getattr(getattr(error, "response", None), "headers", {})
        pause = parse_retry_after(headers.get("Retry-After"))
        return SourceBusy(f"{place}: {status}: {message}", pause)
    if status == 401:
        return SourceError(
            f"{place}: the credentials have expired or are wrong ({account}): renew them"
        )
    return SourceError(f"{place}: {message}")
