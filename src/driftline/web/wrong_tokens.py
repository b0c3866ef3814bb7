"""Slows down who tries tokens: an address with many wrong ones has to wait."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from driftline.contracts.context import Logger
from driftline.types.secret import Secret
from driftline.web.access import has_token

MOST_WRONG = 10
PERIOD = timedelta(minutes=1)
"""After `MOST_WRONG` wrong tokens in this time an address waits until the time is over."""
MOST_ADDRESSES = 1000


class WrongTokens:
    """Turns down requests with a token from addresses that sent too many wrong ones.

    Requests without a token, such as signed links, go on. Each address is logged once in `PERIOD`,
    without the token.
    """

    def __init__(
        self,
        app: ASGIApp,
        tokens: Collection[Secret],
        clock: Callable[[], datetime],
        log: Logger | None = None,
    ) -> None:
        self.app = app
        self._tokens, self._clock, self._log = tokens, clock, log
        self._times: OrderedDict[str, deque[datetime]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 429 in place of the application where an address has to wait."""
        header = Headers(scope=scope).get("authorization", "") if scope["type"] == "http" else ""
        if header and self._tokens:
            address = (scope.get("client") or ("unknown",))[0]
            if self._must_wait(address):
                seconds = int(PERIOD.total_seconds())
                answer = PlainTextResponse(
                    f"Too many wrong tokens came from this address. Try again in {seconds} s.\n",
                    429,
                    headers={"Retry-After": str(seconds)},
                )
                await answer(scope, receive, send)
                return
            if not any(has_token(header, token.reveal()) for token in self._tokens):
                self._note(address)
        await self.app(scope, receive, send)

    def _must_wait(self, address: str) -> bool:
        times = self._times.get(address)
        if times is None:
            return False
        return len(times) == MOST_WRONG and self._clock() - times[0] < PERIOD

    def _note(self, address: str) -> None:
        now = self._clock()
        times = self._times.setdefault(address, deque(maxlen=MOST_WRONG))
        if self._log is not None and (not times or now - times[-1] >= PERIOD):
            self._log.warning("a request had a wrong token", address=address)
        times.append(now)
        if self._log is not None and self._must_wait(address):
            self._log.warning("an address has to wait: many wrong tokens", address=address)
        self._times.move_to_end(address)
        while len(self._times) > MOST_ADDRESSES:
            self._times.popitem(last=False)
