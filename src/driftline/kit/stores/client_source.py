"""A source with one client of a cloud's SDK, which is made again after a rejection."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from pydantic import PrivateAttr

from driftline.contracts.context import StartContext
from driftline.contracts.source import Source


class ClientSource(Source):
    """Makes its client on the first use and again after its credentials were rejected."""

    _client: Any = PrivateAttr(default=None)

    def start(self, context: StartContext) -> None:
        """Make the client; no request is sent yet."""
        super().start(context)
        self._connect()

    def stop(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
        super().stop()

    @abstractmethod
    def _make_client(self) -> Any:
        """Make a client that sends each request once. Raises SourceError without the SDK."""

    def _connect(self) -> Any:
        """Return the client, made on the first call and again after `_forget_client`."""
        # Another thread may set the attribute to None at any time.
        client = self._client
        if client is None:
            client = self._client = self._make_client()
        return client

    def _forget_client(self) -> None:
        """Drop the client, so that the next one reads credentials that someone has renewed."""
        self._client = None
