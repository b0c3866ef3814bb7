"""A metric source whose service answers in JSON over HTTP.

Holds the connection from `start` to `stop`. Does not know the protocol of any service.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PrivateAttr

from driftline.contracts.context import StartContext
from driftline.kit.stores.json_api import JsonApi
from driftline.kit.stores.metric_source import MetricSource

if TYPE_CHECKING:
    import httpx


class HttpMetricSource(MetricSource):
    """Asks a JSON API for the points; a subclass says with which headers."""

    permission: ClassVar[str]
    """The right that the requests need, named in the error of a request without it."""

    _api: JsonApi | None = PrivateAttr(default=None)
    # Takes the place of the network, in tests.
    _transport: httpx.BaseTransport | None = PrivateAttr(default=None)

    def start(self, context: StartContext) -> None:
        """Make the client; no request is sent yet."""
        super().start(context)
        self._connect()

    def stop(self) -> None:
        """Close the connections."""
        api, self._api = self._api, None
        if api is not None:
            api.close()
        super().stop()

    @abstractmethod
    def request_headers(self) -> Mapping[str, str]:
        """Return the headers of a request, with a credential that is valid now.

        Raises SourceError where no credential works.
        """

    def get_json(self, url: str, parameters: Mapping[str, str | list[str]]) -> Any:
        """Return the document at `url`; repeats the request while the service is busy.

        Raises SourceError, or SourceBusy after several attempts.
        """
        return self._connect().get(url, parameters)

    def _connect(self) -> JsonApi:
        # A probe asks before `start`.
        if self._api is None:
            self._api = JsonApi(
                self.address,
                self.permission,
                headers=self.request_headers,
                sleep=self._sleep,
                transport=self._transport,
            )
        return self._api
