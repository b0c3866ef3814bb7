"""Who may look and who may act: by the token of the pages, the token of programs, or a signed link.

Refuses to let a password act: browsers send those along with forms of other sites.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from driftline.alerting.links import expiry, good, signed
from driftline.types.secret import Secret
from driftline.web.bearer import bears


@dataclass(frozen=True)
class Doors:
    """Judges requests."""

    http_token: Secret | None
    """Readers of the pages show it, as a bearer token or a password."""
    token: Secret | None
    """Programs show it as a bearer token, and links are signed with it."""
    clock: Callable[[], datetime]

    def reads(self, request: Request) -> bool:
        """Whether somebody may see the pages: everybody may where there is no token for that."""
        return self.http_token is None or bears(_header(request), self.http_token.reveal())

    def looks(self, request: Request) -> bool:
        """Whether somebody may see incidents: nobody without a token where there is any."""
        open_to_all = self.http_token is None and self.token is None
        return (
            open_to_all
            or (self.http_token is not None and self.reads(request))
            or self.acts(request)
        )

    def acts(self, request: Request) -> bool:
        """Whether somebody may act on anything."""
        header = _header(request)
        return (
            self.token is not None
            and header[:7].lower() == "bearer "
            and bears(header, self.token.reveal())
        )

    def linked(self, request: Request, subject: str, act: str) -> int | None:
        """Until when a link is good that was signed for this subject and act; None when it is not,
        or too old.
        """
        asked = request.query_params
        until, now = asked.get("exp", ""), self.clock()
        if self.token is None or not good(
            self.token.reveal(), subject, act, until, asked.get("sig", ""), now
        ):
            return None
        return int(until)

    def query(self, subject: str, act: str, until: int | None = None) -> str:
        """What makes an address a signed link, with its question mark; good for a week where
        `until` does not say otherwise.

        Empty where nothing is signed.
        """
        if self.token is None:
            return ""
        return f"?{signed(self.token.reveal(), subject, act, expiry(self.clock()) if until is None else until)}"


def _header(request: Request) -> str:
    return request.headers.get("authorization", "")
