"""The errors of an object store, as far as they are the same in every cloud.

The SDK's calls and the cloud's own error codes stay in the source of that cloud.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import PrivateAttr

from driftline.kit.stores.answers import BadAnswer
from driftline.kit.stores.client_source import ClientSource
from driftline.kit.stores.faults import CLOCK_CODES, RATE_CODES, describe_clock, describe_rate
from driftline.kit.stores.retry import parse_retry_after, retry_while_busy
from driftline.types.errors import (
    DriftlineError,
    ObjectChanged,
    ObjectGone,
    SourceBusy,
    SourceError,
)

T = TypeVar("T")
SdkErrors = tuple[type[Exception], ...]


class ObjectStore(ClientSource):
    """A source of objects, whose requests are repeated while the store is busy."""

    _sleep: Callable[[float], object] = PrivateAttr(default=time.sleep)

    @abstractmethod
    def _sdk_errors(self) -> SdkErrors:
        """Return the exceptions of the SDK that `_translate` knows."""

    @abstractmethod
    def _place(self, name: str) -> str:
        """Return the address of the object or listing `name`, for a sentence."""

    @abstractmethod
    def _translate(self, error: Any, permission: str, name: str) -> DriftlineError:
        """Return driftline's error for `error`, which a request about `name` raised.

        `permission` is the right that the request needs.
        """

    def _request(self, send: Callable[[], T], permission: str, name: str) -> T:
        """Return the result of `send()`; repeat it while the store is busy.

        Raises driftline's error in place of the SDK's.
        """

        def attempt() -> T:
            try:
                return send()
            except BadAnswer as error:
                raise SourceError(f"{self._place(name)}: {error}") from None
            except DriftlineError:
                raise
            except self._sdk_errors() as error:
                raise self._translate(error, permission, name) from None
            except OSError:
                raise  # a broken connection, which the reader of ranges knows
            except Exception as error:
                # What the SDK makes of an answer that it does not understand.
                reason = f"{type(error).__name__}: {error}"[:120]
                raise SourceError(
                    f"{self._place(name)}: the answer can't be read ({reason}): "
                    "check the address and the proxy settings"
                ) from error

        return retry_while_busy(attempt, self._sleep)


def error_of_status(
    status: int, place: str, message: str, *, code: str = "", retry_after: str | None = None
) -> DriftlineError:
    """Return the error for an HTTP status that means the same in every object store.

    `place` is the address of the object or the listing. `code` and `message` are the store's own,
    and `retry_after` is the header of that name.
    """
    if status == 404:
        return ObjectGone(f"{place}: gone since it was listed")
    if status in (412, 416):
        return ObjectChanged(f"{place}: changed since it was listed")
    pause = parse_retry_after(retry_after)
    if status == 429 or code in RATE_CODES:
        return SourceBusy(f"{place}: {describe_rate(code or str(status))}", pause)
    if code in CLOCK_CODES:
        return SourceError(f"{place}: {describe_clock()}")
    text = f"{place}: {code or status}: {message[:200]}"
    return SourceBusy(text, pause) if status >= 500 else SourceError(text)
