"""Decides who may read and who may act: by a token, a password or a signed link.

A password never gives the right to act: browsers send it along with forms of other sites.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from driftline.delivery.links import expiry, is_valid, sign_query
from driftline.types.secret import Secret
from driftline.web.trusted_proxy import TrustedProxy

Views = TypeVar("Views")


@dataclass(frozen=True)
class Access:
    """The rights of requests."""

    http_token: Secret | None
    """Gives the right to read, as a bearer token or as a password."""
    token: Secret | None
    """Gives the right to act, as a bearer token; links are signed with it."""
    clock: Callable[[], datetime]
    proxy: TrustedProxy | None = None
    """Names readers; they may read without a token."""

    def can_read(self, request: Request) -> bool:
        """Whether a request may read the pages.

        Without `http_token` and a proxy that names readers every request may.
        """
        if self.proxy is not None and self.proxy.is_user_named(request):
            return True
        if self.http_token is None:
            return self.proxy is None
        return has_token(_header(request), self.http_token.reveal())

    def can_see_incidents(self, request: Request) -> bool:
        """Whether a request may read incidents; every request may when no token is set at all."""
        is_guarded = self.http_token is not None or self.proxy is not None
        return (
            (not is_guarded and self.token is None)
            or (is_guarded and self.can_read(request))
            or self.can_act(request)
        )

    def can_act(self, request: Request) -> bool:
        """Whether a request may acknowledge, approve and so on."""
        header = _header(request)
        return (
            self.token is not None
            and header[:7].lower() == "bearer "
            and has_token(header, self.token.reveal())
        )

    def check_link(self, request: Request, subject: str, act: str) -> int | None:
        """Return when a signed link expires, in seconds since 1970.

        The result is None when the link is not signed for `subject` and `act`, or has expired.
        """
        parameters = request.query_params
        until = parameters.get("exp", "")
        signature = parameters.get("sig", "")
        if self.token is None or not is_valid(
            self.token.reveal(), subject, act, until, signature, now=self.clock()
        ):
            return None
        return int(until)

    def sign_query(self, subject: str, act: str, until: int | None = None) -> str:
        """The query, with its question mark, that makes an address a signed link.

        Without `until` the link expires after a week. The query is empty when there is no token to
        sign with.
        """
        if self.token is None:
            return ""
        expires = expiry(self.clock()) if until is None else until
        return f"?{sign_query(self.token.reveal(), subject, act, expires)}"


def has_token(header: str, token: str) -> bool:
    """Whether an `Authorization` header has the token, as a bearer token or as a password."""
    scheme, _, text = header.partition(" ")
    credential = text.encode("latin-1")
    if scheme.lower() == "basic":
        try:
            credential = base64.b64decode(credential, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(credential, token.encode())


def deny_reading(access: Access) -> Response:
    """The answer 401, which says what opens the page; with `http_token` a browser asks for it."""
    if access.http_token is not None:
        proxy = "" if access.proxy is None else f" {_proxy_text(access.proxy)}"
        return PlainTextResponse(
            "This page needs the token: that of agent.http_token, as a bearer token or as the "
            f"password of any user.{proxy}\n",
            401,
            headers={"WWW-Authenticate": 'Basic realm="driftline", charset="UTF-8"'},
        )
    if access.proxy is not None:
        return PlainTextResponse(f"{_proxy_text(access.proxy)}\n", 401)
    return PlainTextResponse(
        "This page needs a token, because agent.token is set. Set agent.http_token as well: "
        "browsers show it as the password of any user. Programs show agent.token as a bearer "
        "token.\n",
        401,
        headers={"WWW-Authenticate": "Bearer"},
    )


def _proxy_text(proxy: TrustedProxy) -> str:
    return (
        f"The proxy before this page names readers in the header {proxy.header} "
        "(agent.http_user_header); it has to ask from an address in agent.http_proxies."
    )


def answer_with_views(
    access: Access,
    load_views: Callable[[], Views | None],
    answer: Callable[[Request, Views], Response],
    *,
    standby: Callable[[], Response],
) -> Callable[[Request], Response]:
    """Return the handler of a page for those who may see incidents.

    `load_views` returns what the page shows, or None in an agent that stands by: then `standby`
    answers.
    """

    def answer_request(request: Request) -> Response:
        if not access.can_see_incidents(request):
            return deny_reading(access)
        views = load_views()
        return standby() if views is None else answer(request, views)

    return answer_request


def _header(request: Request) -> str:
    return request.headers.get("authorization", "")
