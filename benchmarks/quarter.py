"""Simulates the messages of a quarter: 12 changes in 200 columns, outages and restarts.

    python benchmarks/quarter.py

The verdicts are made up, with the delay and the scatter of real ones. From there on everything is
the agent's own: the step, SQLite on disk, the outbox, the workers, the sinks, and real HTTP to
strict receivers on this machine. The clock is turned by hand. A restart closes the state and opens
it again; half of them come after the receivers took a message, and before that was written down.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from driftline_plugins.sinks.pagerduty import PagerDuty
from driftline_plugins.sinks.slack import Slack
from driftline_plugins.sinks.webhook import Webhook
from receivers import Fault, PagerDutyReceiver, Receiver, SlackReceiver, WebhookReceiver

from driftline import Event, Notification, Secret, Severity, StartContext, Verdict
from driftline.agent.model_alerts import AlertSettings, ModelAlerts
from driftline.agent.model_settings import declared_inhibitions
from driftline.alerting import Fact
from driftline.alerting.silencing import Silencing
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.delivery.worker import DeliveryOutcome, DeliveryReport, SinkWorker
from driftline.extensions.registry import Registry
from driftline.state import outbox
from driftline.state.factory import open_store
from driftline.state.incident_store import SinkPlan
from driftline.state.store import Store
from driftline.types.errors import DriftlineError
from driftline.types.incident import Upstream, UpstreamKind
from driftline.types.model import Bound, BoundSide, Judgement, Measurement
from driftline.types.records import JudgedMeasurement

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS, COLUMNS, RESTARTS, CRASHES, MAX_PAGES = 90, 200, 30, 15, 2
FEED, FLAPPING, CHAT = (40.0, 41.0), (50.0, 58.0), (30.0, 31.0)
"""Days of the outage of the feed, of the column that comes and goes, and of the outage of the
chat.
"""
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
DEFAULT_BOUND = Bound(BoundSide.ABOVE, 0.25)


@dataclass(frozen=True)
class Real:
    """One simulated change of the data."""

    name: str
    families: str
    """The families that show it, separated by blanks."""
    day: float
    days: float
    columns: tuple[str, ...]
    severity: Severity = WARNING
    worse: float | None = None
    """The day from which it is critical."""
    upstream: Upstream | None = None

    @property
    def series(self) -> list[tuple[str, str]]:
        """Family and column of each series that shows it; performance has no column."""
        columns_by_family = [
            (family, self.columns if family != "performance" else ("",))
            for family in self.families.split()
        ]
        return [(family, column) for family, columns in columns_by_family for column in columns]


def _columns(first: int, count: int) -> tuple[str, ...]:
    return tuple(f"c{number:03}" for number in range(first, first + count))


CHANGES = (
    Real("pipeline A", "drift", 5, 4, _columns(0, 30)),
    Real("nulls", "quality", 11, 2, _columns(0, 10)),
    Real("new market", "drift performance", 14, 9, _columns(30, 12), CRITICAL),
    Real("unit", "drift quality performance", 20, 3, _columns(42, 8)),
    Real("bad day, inputs", "drift", 30.05, 5, _columns(50, 20), CRITICAL),
    Real("bad day, nulls", "quality", 30.4, 2, _columns(140, 6), CRITICAL),
    Real("bad day, accuracy", "performance", 30.8, 2, (), CRITICAL),
    Real(
        "version v2",
        "drift",
        45,
        9,
        _columns(70, 15),
        upstream=Upstream(UpstreamKind.NEW_VERSION, "v2"),
    ),
    Real("campaign", "drift", 60, 6, _columns(85, 40), worse=62),
    Real("encoding", "quality", 66, 2, _columns(80, 3)),
    Real("one column", "drift", 75, 2, _columns(125, 1)),
    Real("accuracy", "performance", 81, 4, ()),
)
CHECKS = {
    "drift": ("drift", "psi"),
    "quality": ("nulls", "missing_rate"),
    "performance": ("performance", "accuracy_drop"),
}
NOISY = f"c{COLUMNS - 1}"


class Silent:
    """A log that writes nothing."""

    def info(self, event: str, **facts: object) -> None:
        """Write nothing."""

    warning = info


@dataclass
class SinkLog:
    """The messages that one sink has sent, as the agent knows them."""

    messages: list[tuple[datetime, Notification]] = field(default_factory=list)
    failures: int = 0

    def of(self, *events: Event) -> list[Notification]:
        return [message for _, message in self.messages if message.event in events]

    @property
    def open_at_end(self) -> set[str]:
        alive: set[str] = set()
        for _, message in self.messages:
            if message.event is Event.RESOLVED:
                alive.discard(message.incident)
            else:
                alive.add(message.incident)
        return alive

    def most_open(self, incidents: dict[str, set[str]]) -> int:
        """The most incidents of one cause that were open at a time."""
        alive: dict[str, set[str]] = {}
        most = 0
        for _, message in self.messages:
            for cause in incidents.get(message.incident, ()):
                open_incidents = alive.setdefault(cause, set())
                open_incidents.discard(
                    message.incident
                ) if message.event is Event.RESOLVED else open_incidents.add(message.incident)
                most = max(most, len(open_incidents))
        return most

    @property
    def pages(self) -> int:
        """The most critical openings within 24 hours, the digest aside."""
        turns = {
            "first alert",
            "came back",
            "more severe",
            "no longer held back",
            "comes and goes, held until it is calm",
        }
        times = [
            message.window[1]
            for _, message in self.messages
            if message.severity is CRITICAL and message.window and message.facts["why"] in turns
        ]
        return max(
            (sum(at <= candidate < at + DAY for candidate in times) for at in times), default=0
        )


class Quarter:
    """The simulation."""

    def __init__(self, folder: Path, window: timedelta, seed: int = 7) -> None:
        self.url, self.window, self.rng, self.now = (
            f"sqlite:///{folder}/state.db",
            window,
            Random(seed),
            START,
        )
        self.heard: dict[str, SinkLog] = {}
        self.opened = 0
        """Incidents, told or not."""
        self.shown: dict[str, set[tuple[str, str, datetime]]] = {}
        """Of each incident family, column and begin of what was ever in it."""
        self.held = 0
        self.restarts = self.crashes = 0
        self.delays = {
            (real.name, *series): place
            and self.rng.randrange(min(9, int(real.days * DAY / window)))
            for real in CHANGES
            for place, series in enumerate(real.series)
        }
        """Windows until a change shows in a series; in the first it does at once."""
        self.jitter = {key: self.rng.randrange(-1, 2) for key in self.delays}
        self.over = {key: self.rng.randrange(4) for key in self.delays}
        self.store: Store = open_store(self.url)
        self.alerting = threading.Lock()
        self.quiet = Silencing(
            inhibitions=declared_inhibitions(Registry.load()), max_pages=MAX_PAGES
        )

    def run(self) -> None:
        """All of it."""
        with (
            SlackReceiver() as chat,
            PagerDutyReceiver() as pager,
            WebhookReceiver(SIGNING, lambda: self.now.timestamp()) as hook,
        ):
            self.receivers: dict[str, Receiver] = {"chat": chat, "pager": pager, "hook": hook}
            self.sinks = {
                "chat": Slack(webhook_url=Secret("${env:A}", chat.url)),
                "pager": PagerDuty(routing_key=Secret("${env:B}", "e" * 32), url=pager.url),
                "hook": Webhook(url=hook.url, secret=Secret("${env:C}", SIGNING)),
            }
            self.plans = [
                SinkPlan("chat", updates=self.sinks["chat"].updates),
                SinkPlan("pager", CRITICAL),
                SinkPlan("hook"),
            ]
            http = HttpClient(lambda: self.now, allow_private=True, timeout=5)
            for name, sink in self.sinks.items():
                sink.start(
                    StartContext(
                        name=name,
                        log=Silent(),
                        clock=lambda: self.now,
                        http=http,
                        render=Renderer(),
                    )
                )
                self.heard[name] = SinkLog()
            self._start()
            windows = DAYS * DAY // self.window
            stops = set(self.rng.sample(range(1, windows), RESTARTS - CRASHES))
            windows_with_news = 0
            for number in range(windows):
                self.now = START + (number + 1) * self.window
                windows_with_news += self._feed(number)
                if number in stops:
                    self._restart(crash=False)
                elif windows_with_news > 1 and self.restarts < RESTARTS and self.crashes < CRASHES:
                    self.crashes, windows_with_news = self.crashes + 1, 0
                    self._restart(crash=True)
                self._deliver(self.now + self.window)
            self._deliver(self.now + 2 * DAY)
        self.store.close()

    def _alerts(self) -> ModelAlerts:
        return ModelAlerts(
            model="shop",
            store=self.store,
            settings=AlertSettings(
                receivers=lambda notification: self.plans,
                silencing=self.quiet,
            ),
            lock=self.alerting,
        )

    def _feed(self, number: int) -> bool:
        """Report one window to alerting; returns whether there is a message to send."""
        has_news = False
        for change in self._alerts().report(self._facts(number), self.now):
            self.held += bool(change.hold)
            has_news |= not change.hold
            self.opened += change.event is Event.OPENED
            alerts = change.notification.alerts
            self.shown.setdefault(change.incident.id, set()).update(
                (alert.cause, alert.labels.get("column", ""), alert.since) for alert in alerts
            )
        return has_news

    def _facts(self, number: int) -> list[Fact]:
        day = number * self.window / DAY
        silent = FEED[0] <= day < FEED[1]
        facts = [
            self._fact(
                number,
                cause="service",
                check="volume",
                measurement="rows_ratio",
                value=0.02 if silent else 1.0,
                is_changed=silent,
                crossed=Bound(BoundSide.BELOW, 0.5),
            )
        ]
        partial = silent and day - FEED[0] < 2 * self.window / DAY
        for cause, (check, measurement) in CHECKS.items():
            names = (
                [f"c{place:03}" for place in range(COLUMNS)]
                if cause == "drift"
                else sorted(
                    {
                        column
                        for real in CHANGES
                        for family, column in real.series
                        if family == cause
                    }
                )
            )
            if silent and not (partial and cause == "drift"):
                continue
            for column in names:
                real = self._real(cause, column, number)
                is_changed = real is not None or partial
                if cause == "drift" and column == NOISY and FLAPPING[0] <= day < FLAPPING[1]:
                    is_changed = number // 2 % 2 == 0
                worse = real is not None and (
                    real.severity is CRITICAL or (real.worse is not None and day >= real.worse)
                )
                value = 0.05 if not is_changed else 0.3 + self.rng.random()
                since = None
                if real is not None:
                    since = (
                        START
                        + self._first(real) * self.window
                        + self.jitter[real.name, cause, column] * self.window
                    )
                facts.append(
                    self._fact(
                        number,
                        cause=cause,
                        check=check,
                        measurement=measurement,
                        column=column,
                        value=value,
                        is_changed=is_changed,
                        severity=CRITICAL if worse else WARNING,
                        since=since,
                        upstream=real.upstream if real is not None else None,
                    ),
                )
        return facts

    def _first(self, real: Real) -> int:
        return int(real.day * DAY / self.window)

    def _real(self, cause: str, column: str, number: int) -> Real | None:
        for real in CHANGES:
            key = real.name, cause, column
            if key in self.delays:
                first = self._first(real)
                last = first + int(real.days * DAY / self.window) + self.over[key]
                if first + self.delays[key] <= number < last:
                    return real
        return None

    def _fact(
        self,
        number: int,
        *,
        cause: str,
        check: str,
        measurement: str,
        value: float,
        is_changed: bool,
        column: str = "",
        severity: Severity = WARNING,
        since: datetime | None = None,
        upstream: Upstream | None = None,
        crossed: Bound = DEFAULT_BOUND,
    ) -> Fact:
        """A fact of one column in the window of this number."""
        start = START + number * self.window
        measurement_row = JudgedMeasurement(
            check=check,
            measurement=Measurement(value, {"column": column} if column else {}, name=measurement),
            judgement=Judgement.change(severity, crossed)
            if is_changed
            else Judgement(verdict=Verdict.OK),
            rows=5000,
            cause=cause,
        )
        return Fact(
            model="shop",
            start=start,
            end=start + self.window,
            judged=measurement_row,
            since=since,
            upstream=upstream,
        )

    def _start(self) -> None:
        with self.store.write() as connection:
            outbox.recover_unfinished(connection, self.now)
        self.workers = [
            SinkWorker(
                name=name,
                sink=sink,
                store=self.store,
                clock=lambda: self.now,
                rng=Random(3),
                report=self._record_delivery,
            )
            for name, sink in self.sinks.items()
        ]

    def _restart(self, *, crash: bool) -> None:
        """Stop and start the agent.

        With `crash`, each receiver has accepted a message that is stored only as begun.
        """
        for name, sink in self.sinks.items() if crash else ():
            with self.store.write() as connection:
                claim = outbox.claim_next(connection, name, self.now)
            if claim is not None:
                with suppress(DriftlineError):
                    sink.send(claim.notification)
        self.store.close()
        self.store = open_store(self.url)
        self.restarts += 1
        self._start()

    def _deliver(self, until: datetime) -> None:
        while True:
            day = (self.now - START) / DAY
            self.receivers["chat"].faults[:] = (
                [Fault(status=503)] * 50 if CHAT[0] <= day < CHAT[1] else []
            )
            for worker in self.workers:
                worker.deliver_due(self.now)
            due = [at for worker in self.workers if (at := worker.next_due(self.now)) is not None]
            if not due or min(due) >= until:
                return
            self.now = max(self.now + timedelta(seconds=1), min(due))

    def _record_delivery(self, report: DeliveryReport) -> None:
        log = self.heard[report.sink]
        if report.outcome is DeliveryOutcome.SENT:
            log.messages.append((report.at, report.notification))
        else:
            log.failures += 1

    @property
    def incidents(self) -> dict[str, set[str]]:
        """Of each incident that opened the real changes in it."""
        return {
            name: {
                real.name
                for real in CHANGES
                for family, column, since in series
                if (family, column) in real.series
                and abs(since - START - real.day * DAY) <= 3 * self.window
            }
            for name, series in self.shown.items()
        }

    @property
    def causes(self) -> list[set[str]]:
        """The changes that should be one incident: each begins within six windows of the last."""
        groups: list[set[str]] = []
        before = -1e6
        for real in sorted(CHANGES, key=lambda real: real.day):
            if (real.day - before) * DAY > 6 * self.window:
                groups.append(set())
            groups[-1].add(real.name)
            before = real.day
        return groups

    def broken_promises(self) -> list[str]:
        """The promises that were broken, for people."""
        faults = []
        incidents_of_change: dict[str, list[str]] = {}
        for name, causes in self.incidents.items():
            for cause in causes:
                incidents_of_change.setdefault(cause, []).append(name)
        for together in self.causes:
            if {len(incidents_of_change.get(change, ())) for change in together} != {1} or len(
                {incidents_of_change[change][0] for change in together}
            ) != 1:
                faults.append(f"{', '.join(sorted(together))}: not one incident")
        for row in self.table():
            log = self.heard[row["sink"]]
            opened_incidents = {
                message.incident for message in log.of(Event.OPENED, Event.REOPENED)
            }
            if opened_incidents - {message.incident for message in log.of(Event.RESOLVED)}:
                faults.append(f"{row['sink']}: an end is missing")
            if row["most open of a cause"] != 1 or row["left open"]:
                faults.append(f"{row['sink']}: two open messages of one cause, or one left open")
            if row["pages in 24 h"] > MAX_PAGES:
                faults.append(f"{row['sink']}: more pages than the cap")
            if row["sink"] != "chat" and row["repeats shown"]:
                faults.append(f"{row['sink']}: a repeat, though it can tell")
        return faults

    def table(self) -> list[dict[str, Any]]:
        """A row for each sink."""
        incidents, rows = self.incidents, []
        for name, log in self.heard.items():
            receiver = self.receivers[name]
            successes = [request for request in receiver.requests if request.status < 300]
            alert_keys = (
                [alert.key for alert in receiver.accepted] if name == "pager" else receiver.accepted
            )
            repeats = (
                len(alert_keys) - len(set(alert_keys))
                if name == "pager"
                else len(alert_keys) - len(log.messages)
            )
            rows.append(
                {
                    "sink": name,
                    "requests": len(receiver.requests),
                    "taken": len(successes),
                    "sent again": len(successes) - len(log.messages),
                    "opened": len(log.of(Event.OPENED)),
                    "reopened": len(log.of(Event.REOPENED)),
                    "resolved": len(log.of(Event.RESOLVED)),
                    "most open of a cause": log.most_open(incidents),
                    "left open": len(log.open_at_end),
                    "pages in 24 h": log.pages,
                    "repeats shown": repeats,
                }
            )
        return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=1.0, help="length of a window")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        quarter = Quarter(Path(folder), timedelta(hours=options.hours))
        quarter.run()
    real_incidents = {name for name, real in quarter.incidents.items() if real}
    print(
        f"{DAYS} days of {options.hours:g} h windows, {COLUMNS} columns, {len(CHANGES)} changes, "
        f"{quarter.restarts} restarts"
    )
    print(
        f"{quarter.opened} incidents opened, {len(real_incidents)} of them about a real change; "
        f"{quarter.held} changes held back"
    )
    rows = quarter.table()
    print("| " + " | ".join(rows[0]) + " |")
    print("| " + " | ".join("---" for _ in rows[0]) + " |")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")
    for real in CHANGES:
        names = [name for name, causes in quarter.incidents.items() if real.name in causes]
        print(
            f"{real.name}: {len(real.columns)} columns, "
            f"{len(names)} incident{'s' if len(names) != 1 else ''}"
        )
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    for text in quarter.broken_promises():
        print(text)
    sys.exit(bool(quarter.broken_promises()))


if __name__ == "__main__":
    main()
