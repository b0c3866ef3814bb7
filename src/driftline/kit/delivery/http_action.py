"""Actions that are one HTTP request, with a name that the receiver knows again.

Refuses to show a credential: those are asked for when the request leaves, and stand in no request
that is kept.
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
"""Characters of an answer that are kept."""


class HttpAction(Action):
    """Sends its request through the host's client."""

    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "deduplicates"

    def credentials(self) -> Mapping[str, str]:
        """Headers that prove who asks."""
        return {}

    def is_repeat(self, status: int, answer: Mapping[str, Any]) -> bool:
        """Whether a refusal says that this very run was started before."""
        return False

    def perform(self, request: Request) -> str:
        """Send it; a refusal that says the run is there already is as good as its start."""
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
        except Rejected as refused:
            if not self.is_repeat(refused.status, _object(refused.answer)):
                raise
            return f"HTTP {refused.status}: was started before"
        return f"HTTP {answer.status} {clean(answer.text, SHOWN)}".strip()


def json_request(
    method: str, url: str, body: object, headers: Mapping[str, str] | None = None
) -> Request:
    """A request with a JSON body."""
    return Request(
        method, url, compact(body), {"content-type": "application/json", **(headers or {})}
    )


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
