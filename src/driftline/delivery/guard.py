"""One call of a sink in a thread of its own, so that a sink that hangs holds up nobody.

Refuses to kill: a thread can't be; the caller decides how long it waits.
"""

from __future__ import annotations

import threading
from datetime import datetime

from driftline.contracts.sink import Sink
from driftline.types.notification import Notification


class Sending:
    """A send under way."""

    def __init__(
        self, sink: Sink, notification: Notification, since: datetime | None = None
    ) -> None:
        """With `since`, it was tried before: a sink that can look does so first."""
        self._done = threading.Event()
        self._result: str | Exception | None = None
        threading.Thread(
            target=self._send,
            args=(sink, notification, since),
            name=f"send-{sink.type}",
            daemon=True,
        ).start()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within `seconds`."""
        return self._done.wait(seconds)

    def result(self) -> str | Exception | None:
        """The receiver's reference, or what was raised."""
        return self._result

    def _send(self, sink: Sink, notification: Notification, since: datetime | None) -> None:
        try:
            said = (
                sink.look(notification, since)
                if since is not None and sink.repeat == "looks"
                else None
            )
            said = sink.send(notification) if said is None else said
            self._result = said if said is None or isinstance(said, str) else str(said)
        except Exception as error:
            self._result = error
        except BaseException as error:
            self._result = RuntimeError(f"the sink raised {type(error).__name__}")
        finally:
            self._done.set()
