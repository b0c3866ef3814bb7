"""Actions that are one HTTP request with an id, by which the receiver finds repeats.

Credentials are added only when the request is sent: a stored request has none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from driftline.contracts.action import Action
from driftline.types.action_request import Request, compact
from driftline.types.errors import Rejected
from driftline.types.phrasing import clean

SHOWN = 300
"""Characters of an answer that are stored."""


class HttpAction(Action):
    """An action that sends its request through the HTTP client of the host."""

    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "deduplicates"

    def credentials(self) -> Mapping[str, str]:
        """Return the headers that authenticate the request."""
        return {}

    def is_repeat(self, status: int, answer: Mapping[str, Any]) -> bool:
        """Return whether a rejection means that this run was started before."""
        return False

    def perform(self, request: Request) -> str:
        """Send the request; a rejection because the run exists already counts as success."""
        http = self.context.http
        assert http is not None
        headers = {**request.headers, **self.credentials()}
        try:
            answer = http.request(
                request.method,
                request.target,
                content=request.body.encode("utf-8", "replace"),
                headers=headers,
            )
        except Rejected as error:
            if not self.is_repeat(error.status, _object(error.answer)):
                raise
            return f"HTTP {error.status}: was started before"
        return f"HTTP {answer.status} {clean(answer.text, SHOWN)}".strip()


def json_request(
    method: str, url: str, body: object, headers: Mapping[str, str] | None = None
) -> Request:
    """Return a request with a JSON body."""
    return Request(
        method, url, compact(body), {"content-type": "application/json", **(headers or {})}
    )


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
