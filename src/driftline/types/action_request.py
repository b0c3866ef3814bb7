"""What an action is asked to do, and exactly what it then sends.

Refuses to hold a secret: what proves who asks is added when the request leaves, so that a request
can be shown and kept.
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


@dataclass(frozen=True, slots=True)
class Order:
    """One run of one action, for one incident."""

    token: str
    """The same whatever is retried or restarted: `driftline-` and 32 hex digits, a hash of incident
    and action.
    """
    action: str
    """The action's name in the configuration."""
    decision: str
    """What a check says is to be done, or empty."""
    notification: Notification
    """The incident as it was when it called for the action."""

    @property
    def facts(self) -> Mapping[str, str]:
        """The incident in a few short texts, each on one line of at most 200 characters."""
        told = self.notification
        facts = {
            "token": self.token, "action": self.action, "decision": self.decision, "incident": told.incident,
            "model": told.model, "version": told.model_version, "cause": told.cause, "severity": told.severity.value,
            "title": told.title, "since": told.since.isoformat(),
        }  # fmt: skip
        return {name: clean(value) for name, value in facts.items()}

    def fill(self, value: Any) -> Any:
        """`value` with the fact of that name in place of `{model}` and the like, in every text
        within it.

        Raises Rejected for a name that is none of `facts`.
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
    """What is sent, but for what proves who asks."""

    method: str
    """An HTTP method, the name of an API's operation, or `run`."""
    target: str
    """An address, the service and its region, or a command."""
    body: str = ""
    """Sent as UTF-8: to the byte what arrives."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of HTTP; of a command, what is added to its environment."""

    def __str__(self) -> str:
        head = [
            f"{self.method} {self.target}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\n".join([*head, "", self.body]) if self.body else "\n".join(head)


def compact(value: object) -> str:
    """`value` as JSON in one line. Raises Rejected for what JSON can't hold."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Rejected(f"the request can't be written as JSON: {error}") from None
