"""Google Cloud, as far as its services are alike: who asks, and what an error means.

Refuses to hold a credential: the SDK's own chain finds and renews them. Needs the SDK only when it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from driftline.errors import SourceBusy, SourceError
from driftline.patience import pause_of

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
UNKNOWN = (
    "no Google Cloud credentials were found: give the machine a service account, or set credentials_file, or anonymous: true"
)


def credentials(file: Path | None, *, anonymous: bool) -> Any:
    """Those of a key file, or what the machine's own chain finds. Raises SourceError with the mend."""
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import GoogleAuthError

    if anonymous:
        return AnonymousCredentials()
    try:
        found = google.auth.load_credentials_from_file(str(file), [SCOPE]) if file else google.auth.default([SCOPE])
    except (GoogleAuthError, OSError, ValueError) as error:
        raise SourceError(f"{file}: {error}" if file else UNKNOWN) from None
    return found[0]


def identity(who: Any) -> str:
    """Whose credentials these are, for people."""
    from google.auth.credentials import AnonymousCredentials

    if isinstance(who, AnonymousCredentials):
        return "anonymous"
    return str(getattr(who, "service_account_email", None) or f"{type(who).__module__} credentials")


def refusal(error: Exception) -> tuple[int, str, str]:
    """HTTP status, reason and message of what a service answered; status 0 for what is no answer."""
    told = (getattr(error, "errors", None) or [{}])[0]
    says = told.get("message") or getattr(error, "message", "") or f"{type(error).__name__}: {error}"
    return int(getattr(error, "code", None) or 0), str(told.get("reason") or ""), " ".join(str(says).split())


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
        return SourceError(f"{place}: the credentials have expired or are wrong ({whose}): renew them")
    return SourceError(f"{place}: {says}")
