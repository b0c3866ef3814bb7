"""The dead man's switch: requests that stop when the agent does not do its work.

A service that expects them raises the alarm, because an agent that is dead can't.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from driftline.config.models import HeartbeatConfig
from driftline.contracts.context import Http
from driftline.types.errors import DriftlineError
from driftline.types.secret import Secret

MISSED = 3
"""Heartbeats that may be missing before an alert of Alertmanager ends."""


class Heartbeat:
    """Sends a request at an interval, as long as the agent is ready, until it is stopped."""

    def __init__(
        self,
        config: HeartbeatConfig,
        http: Http,
        *,
        find_reasons: Callable[[], list[str]],
        clock: Callable[[], datetime],
        log: Any,
    ) -> None:
        """`find_reasons` returns why the agent is not ready; nothing when it is."""
        self._config, self._http, self._find_reasons = config, http, find_reasons
        self._clock, self._log = clock, log
        self._has_failed = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def send(self) -> bool:
        """Send one heartbeat if the agent is ready. Returns whether it arrived.

        The log has one line when heartbeats begin to fail, and one when they arrive again.
        """
        if self._find_reasons():
            return False
        url = (
            self._config.url.reveal() if isinstance(self._config.url, Secret) else self._config.url
        )
        try:
            if self._config.type == "alertmanager":
                alert = _watchdog(self._clock(), self._config.every)
                self._http.post(f"{url.rstrip('/')}/api/v2/alerts", json=[alert])
            else:
                self._http.post(url, content=b"driftline is ready\n")
        except Exception as error:
            if not self._has_failed:
                text = str(error) if isinstance(error, DriftlineError) else type(error).__name__
                self._log.warning("heartbeats do not arrive", error=text)
            self._has_failed = True
            return False
        if self._has_failed:
            self._log.info("heartbeats arrive again")
        self._has_failed = False
        return True

    def stop(self) -> None:
        """Stop without a last heartbeat."""
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.send()
            self._stopping.wait(self._config.every.total_seconds())


def _watchdog(now: datetime, every: timedelta) -> dict[str, object]:
    """Return the alert that always fires: it ends when it is not sent again."""
    return {
        "labels": {"alertname": "Watchdog", "job": "driftline", "severity": "none"},
        "annotations": {"summary": "driftline is ready; this alert fires as long as it is"},
        "startsAt": now.isoformat(),
        "endsAt": (now + MISSED * every).isoformat(),
    }
