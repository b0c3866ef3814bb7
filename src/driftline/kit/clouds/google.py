"""Google Cloud, as far as its services are alike: who asks, and what an error means.

Refuses to hold a credential: the SDK's own chain finds and renews them. Needs the SDK only when it
is used.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from driftline.kit.stores.retry import pause_of
from driftline.types.errors import Rejected, Retryable, SourceBusy, SourceError

T = TypeVar("T")
UNKNOWN = "no Google Cloud credentials were found: give the machine a service account, or set credentials_file, or anonymous: true"


def sdk(service: str) -> Any:
    """The module `google.cloud.SERVICE`. Raises SourceError with the mend where it is not
    installed.
    """
    try:
        return import_module(f"google.cloud.{service}")
    except ImportError:
        raise SourceError(
            f"google-cloud-{service} is not installed: pip install 'driftline[gcp]'"
        ) from None


def credentials(scope: str, file: Path | None, *, anonymous: bool) -> Any:
    """Those of a service account's key file, or what the machine's own chain finds. Raises
    SourceError with the mend.
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
        raise SourceError(f"{file}: {error}" if file else UNKNOWN) from None


def bearer(who: Any) -> str:
    """A token of these credentials, renewed when it has expired. Raises Rejected or Retryable."""
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    try:
        if not who.valid:
            who.refresh(Request())
    except TransportError as error:
        raise Retryable(f"the credentials could not be renewed just now: {error}") from None
    except GoogleAuthError as error:
        raise Rejected(f"the credentials could not be renewed ({identity(who)}): {error}") from None
    return str(who.token)


def identity(who: Any) -> str:
    """Whose credentials these are, for people."""
    from google.auth.credentials import AnonymousCredentials

    if who is None:
        return "no credentials"
    if isinstance(who, AnonymousCredentials):
        return "anonymous"
    return str(getattr(who, "service_account_email", None) or f"{type(who).__module__} credentials")


def told(ask: Callable[[], T], meaning: Callable[[Exception], SourceError]) -> T:
    """What `ask()` gives. Raises the meaning of what the SDK raises; of 409 the SDK itself makes
    something.
    """
    from google.api_core.exceptions import Conflict, GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        return ask()
    except Conflict:
        raise
    except (GoogleAPICallError, GoogleAuthError, RequestException, ConnectionError) as error:
        raise meaning(error) from None


def refusal(error: Exception) -> tuple[int, str, str]:
    """HTTP status, reason and message of what a service answered; status 0 for what is no
    answer.
    """
    told = (getattr(error, "errors", None) or [{}])[0]
    says = (
        told.get("message") or getattr(error, "message", "") or f"{type(error).__name__}: {error}"
    )
    return (
        int(getattr(error, "code", None) or 0),
        str(told.get("reason") or ""),
        " ".join(str(says).split()),
    )


def meaning(error: Exception, place: str, whose: str) -> SourceError:
    """What an error of the SDK means, whichever service it was; SourceBusy where it passes."""
    from google.auth.exceptions import GoogleAuthError, TransportError

    status, reason, says = refusal(error)
    if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError):
        return SourceError(f"{place}: the credentials could not be renewed ({whose}): {says}")
    if status == 0:
        return SourceBusy(f"{place}: {says}")
    if status == 429 or status >= 500 or reason == "rateLimitExceeded":
        headers = getattr(getattr(error, "response", None), "headers", {})
        return SourceBusy(f"{place}: {status}: {says}", pause_of(headers.get("Retry-After")))
    if status == 401:
        return SourceError(
            f"{place}: the credentials have expired or are wrong ({whose}): renew them"
        )
    return SourceError(f"{place}: {says}")
