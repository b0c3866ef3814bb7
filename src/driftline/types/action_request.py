"""The order that an action gets, and the request that it sends.

A request holds no secret, so that it can be shown and stored: credentials are added when it is
sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from driftline.types.errors import Rejected
from driftline.types.notification import Notification
from driftline.types.phrasing import clean

PLACE = re.compile(r"\{([a-z_]+)\}")
"""A placeholder for a fact, such as `{model}`."""


@dataclass(frozen=True, slots=True)
class Order:
    """One run of one action, for one incident."""

    token: str
    """The id of the run: `driftline-` and 32 hex digits, a hash of incident and action.

    It stays the same when a run is retried or the agent restarts.
    """
    action: str
    """The action's name in the configuration."""
    decision: str
    """The decision that a check recommends, or empty."""
    notification: Notification
    """The incident as it was when it called for the action."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Return the incident as short texts, each on one line of at most 200 characters."""
        notification = self.notification
        facts = {
            "token": self.token,
            "action": self.action,
            "decision": self.decision,
            "incident": notification.incident,
            "model": notification.model,
            "version": notification.model_version,
            "cause": notification.cause,
            "severity": notification.severity.value,
            "title": notification.title,
            "since": notification.since.isoformat(),
        }
        return {name: clean(value) for name, value in facts.items()}

    def fill(self, value: Any) -> Any:
        """Return `value` with each `{name}` in its texts replaced by the fact of that name.

        Raises Rejected for a name that is not in `facts`.
        """
        if isinstance(value, str):
            return PLACE.sub(self._fact, value)
        if isinstance(value, Mapping):
            return {name: self.fill(part) for name, part in value.items()}
        return [self.fill(part) for part in value] if isinstance(value, (list, tuple)) else value

    def _fact(self, place: re.Match[str]) -> str:
        facts = self.facts
        if place[1] not in facts:
            raise Rejected(f"there is no fact {{{place[1]}}}; there are: {', '.join(facts)}")
        return facts[place[1]]


@dataclass(frozen=True, slots=True)
class Request:
    """What an action sends, without credentials."""

    method: str
    """An HTTP method, the name of an API's operation, or `run`."""
    target: str
    """An address, the service and its region, or a command."""
    body: str = ""
    """The exact content, sent as UTF-8."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """HTTP headers; for a command, variables added to its environment."""

    def __str__(self) -> str:
        head = [
            f"{self.method} {self.target}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\n".join([*head, "", self.body]) if self.body else "\n".join(head)


def compact(value: object) -> str:
    """Write `value` as JSON on one line. Raises Rejected for a value that JSON can't hold."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Rejected(f"the request can't be written as JSON: {error}") from None
