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
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from driftline.delivery.links import expiry, is_signed, is_valid, sign_query, signature
from driftline.types.secret import Secret
from driftline.web.trusted_proxy import TrustedProxy

if TYPE_CHECKING:
    from driftline.state.link_keys import LinkKeys

Views = TypeVar("Views")


@dataclass(frozen=True, kw_only=True)
class Access:
    """The rights of requests."""

    http_token: Secret | None
    """Gives the right to read, as a bearer token or as a password."""
    token: Secret | None
    """Gives the right to act, as a bearer token; without it there are no signed links."""
    clock: Callable[[], datetime]
    proxy: TrustedProxy | None = None
    """Names readers; they may read without a token."""
    find_link_keys: Callable[[], LinkKeys | None] = lambda: None
    """Returns the keys that sign links; None while this agent is on standby."""

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
        sent = parameters.get("sig", "")
        keys = None if self.token is None or not sent else self.find_link_keys()
        if keys is None or not is_valid(keys.valid(), subject, act, until, sent, now=self.clock()):
            return None
        return int(until)

    def sign_query(self, subject: str, act: str, until: int | None = None) -> str:
        """The query, with its question mark, that makes an address a signed link.

        Without `until` the link expires after a week. The query is empty when there is no key to
        sign with.
        """
        key = self._find_key()
        if key is None:
            return ""
        expires = expiry(self.clock()) if until is None else until
        return f"?{sign_query(key, subject, act, expires)}"

    def sign_form(self, subject: str, act: str, until: int) -> str:
        """Return the token of the form of a signed link: only a reader of its page knows it."""
        key = self._find_key()
        return "" if key is None else signature(key, subject, f"form {act}", until)

    def is_form_signed(self, text: str, subject: str, act: str, until: int) -> bool:
        """Whether `text` is the token of that form."""
        keys = self.find_link_keys()
        return keys is not None and is_signed(keys.valid(), subject, f"form {act}", until, text)

    def _find_key(self) -> bytes | None:
        keys = None if self.token is None else self.find_link_keys()
        return None if keys is None else keys.newest()


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
