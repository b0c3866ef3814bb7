"""Fakes of what the host gives to a plugin: a clock, a network that records requests, a log.

They never sleep, and connect only to this machine.
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
from driftline.types.model import Bound, BoundSide, Severity
from driftline.types.notification import AlertFact, Event, Notification

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class FakeClock:
    """A clock that moves only by `advance`: `clock()` is the time, UTC."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def __call__(self) -> datetime:
        """Return the time, as `now` does."""
        return self._now

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    def advance(self, by: timedelta | float) -> datetime:
        """Move the time by a duration, or by seconds. Returns the new time."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._now


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request."""

    url: str
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """The answer of a fake receiver."""

    status: int = 200
    text: str = ""


class FakeHttp:
    """Records every request in `posts` and returns the answer of `handler`.

    The handler may raise what the real client raises.
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
        """Record the request. Raises TypeError for what can't be sent as JSON."""
        post = Post(
            url=url,
            json=jsonlib.loads(jsonlib.dumps(json, allow_nan=False)),
            content=content,
            headers=dict(headers or {}),
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
        """Record the request, whatever its method."""
        post = Post(url=url, content=content, headers=dict(headers or {}), method=method)
        self.posts.append(post)
        return self._handler(post)


class FakeLog:
    """A logger that keeps its lines: pairs of event and facts."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        """Keep a line."""
        self.lines.append((event, facts))

    warning = error = exception = debug = info


def loopback(host: str, port: int) -> socket.socket:
    """Connect to a server on this machine. Raises what `Dial` raises."""
    addresses = resolve(host, port)
    assert all(ip_address(address).is_loopback for address in addresses), (
        f"{host} is not this machine"
    )
    return Dial(allow_private=True)(host, port)


def start_context(
    name: str = "test",
    *,
    http: FakeHttp | None = None,
    console: io.StringIO | None = None,
    clock: Callable[[], datetime] | None = None,
    config_folder: Path = Path(),
) -> StartContext:
    """Return what `start` of a plugin gets."""
    return StartContext(
        name=name,
        log=FakeLog(),
        clock=clock or FakeClock(),
        http=http or FakeHttp(),
        console=console or io.StringIO(),
        config_folder=config_folder,
        render=Renderer(),
        connect=loopback,
        guard_connections=Fence(Dial(allow_private=True)),
    )


def order(**changes: Any) -> Order:
    """Return an order for an action; `changes` replace fields of the incident's message."""
    return Order(
        "driftline-0123456789abcdef0123456789abcdef", "retrain", "retrain", notification(**changes)
    )


def notification(event: Event = Event.OPENED, **changes: Any) -> Notification:
    """Return a message about an incident as a sink gets it; `changes` replace fields."""
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
        bound=Bound(BoundSide.ABOVE, 0.1),
        since=since,
        rows=4000,
        detail={"mean": 21.5, "mean_was": 32.4},
    )
    message = Notification(
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
    return message.model_copy(update=changes)
