"""What the host hands to a plugin, for tests: a clock that stands still, a network that only takes
notes.

Refuses to sleep, and to connect to anywhere but this machine.
"""

from __future__ import annotations

import io
import json as jsonlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from driftline.contracts.context import Answer, StartContext
from driftline.delivery.network.address import resolve
from driftline.delivery.network.dial import Dial
from driftline.delivery.network.fence import Fence
from driftline.delivery.rendering.renderer import Renderer
from driftline.types.action_request import Order
from driftline.types.model import Severity
from driftline.types.notification import AlertFact, Event, Notification

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class FakeClock:
    """A clock that moves when told to: `clock()` is the time, UTC."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def __call__(self) -> datetime:
        """The time, as `now` tells it."""
        return self._now

    def now(self) -> datetime:
        """The time."""
        return self._now

    def advance(self, by: timedelta | float) -> datetime:
        """Move on by a duration, or by seconds; returns the new time."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._now


@dataclass(frozen=True, slots=True)
class Post:
    """One request."""

    url: str
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """What the fake receiver says."""

    status: int = 200
    text: str = ""


class FakeHttp:
    """Takes every request down in `posts` and gives the answer of `handler`, which may also raise
    as the real one does.
    """

    def __init__(self, handler: Callable[[Post], Answer] | None = None) -> None:
        self.posts: list[Post] = []
        self._handler = handler or (lambda post: FakeAnswer())

    def post(
        self,
        url: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Note the request. Raises TypeError for what can't be sent as JSON."""
        post = Post(
            url, jsonlib.loads(jsonlib.dumps(json, allow_nan=False)), content, dict(headers or {})
        )
        self.posts.append(post)
        return self._handler(post)

    def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Note the request, whatever its method."""
        post = Post(url, content=content, headers=dict(headers or {}), method=method)
        self.posts.append(post)
        return self._handler(post)


class FakeLog:
    """A logger whose lines can be read: pairs of event and facts."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        """Note a line."""
        self.lines.append((event, facts))

    warning = error = exception = debug = info


def fake_http(handler: Callable[[Post], Answer] | None = None) -> FakeHttp:
    """A network that only takes notes."""
    return FakeHttp(handler)


def loopback(host: str, port: int) -> socket.socket:
    """A connection to a server of the test's own. Raises what `Dial` raises."""
    addresses = resolve(host, port)
    assert all(ip_address(one).is_loopback for one in addresses), f"{host} is not this machine"
    return Dial(allow_private=True)(host, port)


def start_context(
    name: str = "test",
    *,
    http: FakeHttp | None = None,
    console: io.StringIO | None = None,
    clock: Callable[[], datetime] | None = None,
    base: Path = Path(),
) -> StartContext:
    """What `start` of a plugin is given."""
    screen = console or io.StringIO()
    clock, http, fenced = clock or FakeClock(), http or FakeHttp(), Fence(Dial(allow_private=True))
    return StartContext(
        name, FakeLog(), clock, http, screen, base, Renderer(), connect=loopback, fenced=fenced
    )


def order(**changes: Any) -> Order:
    """What an action is asked for; `changes` replace fields of the message about the incident."""
    return Order(
        "driftline-0123456789abcdef0123456789abcdef", "retrain", "retrain", notification(**changes)
    )


def notification(event: Event = Event.OPENED, **changes: Any) -> Notification:
    """A message about an incident such as a sink is given; `changes` replace fields."""
    since = NOW - timedelta(hours=2)
    fact = AlertFact(
        check="drift",
        measurement="psi",
        labels={"column": "tenure"},
        state="resolved" if event is Event.RESOLVED else "firing",
        severity=Severity.WARNING,
        value=0.31,
        was=0.0,
        interval=(0.27, 0.35),
        reason="above 0.1",
        since=since,
        rows=4000,
        detail={"mean": 21.5, "mean_was": 32.4},
    )
    told = Notification(
        id="n-1",
        incident="churn-1",
        revision=1,
        event=event,
        model="churn",
        model_version="v3",
        cause="drift",
        severity=Severity.WARNING,
        title="churn: tenure <drifts> & since 10:00",
        since=since,
        window=(since, since + timedelta(hours=1)),
        rows=4000,
        reference="train.csv",
        alerts=(fact,),
        resolved_at=NOW if event is Event.RESOLVED else None,
        links={"runbook": "https://wiki.example/churn"},
        facts={"owner": "team churn"},
        sent_before=event is not Event.OPENED,
    )
    return told.model_copy(update=changes)
