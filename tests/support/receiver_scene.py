"""An agent whose incidents go to a diary and to one strict receiver, hour by hour."""

from __future__ import annotations

from datetime import timedelta

from receivers import PagerDutyReceiver, WebhookReceiver
from station import START, Station

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOUR = timedelta(hours=1)


def shift(row):
    """A value far from the reference."""
    return row["amount"] + 100


class Scene:
    """An agent whose incidents go to a diary and to one more receiver."""

    def __init__(self, folder, monkeypatch) -> None:
        self.station = Station(folder)
        monkeypatch.setenv("SIGNING", SIGNING)
        monkeypatch.setenv("ROUTING", "e" * 32)
        self.without_sink = self.station.config.read_text()

    @property
    def now(self) -> float:
        return self.station.clock.now.timestamp()

    def use(self, name: str, sink: str) -> None:
        self.station.config.write_text(f"{self.without_sink}  {name}: {sink}\n")

    def use_hook(self, server: WebhookReceiver, name: str = "hook") -> None:
        options = f'{{url: "{server.url}", secret: "${{env:SIGNING}}"}}'
        self.use(name, f"{{type: webhook, allow_private: true, options: {options}}}")

    def use_alertmanager(self, server: WebhookReceiver) -> None:
        options = f'{{url: "{server.url}", secret: "${{env:SIGNING}}", body: alertmanager}}'
        self.use("hook", f"{{type: webhook, allow_private: true, options: {options}}}")

    def use_pager(self, server: PagerDutyReceiver) -> None:
        options = f'{{url: "{server.url}", routing_key: "${{env:ROUTING}}"}}'
        self.use("pager", f"{{type: pagerduty, allow_private: true, options: {options}}}")

    def hours(self, first: int, last: int, **changes) -> None:
        """Write and judge some hours of the log, and send what is due."""
        for hour in range(first, last):
            self.station.hour(hour, **changes)
        self.watch(first, last)

    def watch(self, first: int, last: int) -> None:
        """Let the hours of the clock pass, four ticks in each."""
        with self.station.open():
            for hour in range(first, last):
                self.station.clock.now = START + (hour + 1) * HOUR + timedelta(minutes=20)
                for _ in range(4):
                    self.station.tick()
                    self.station.clock.now += timedelta(seconds=20)

    def pass_time(self, length: timedelta) -> None:
        """Let `length` pass, and send each message at the moment at which it is due."""
        clock, end = self.station.clock, self.station.clock.now + length
        workers = self.station.agent.workers
        while True:
            dues = [due for worker in workers if (due := worker.next_due(clock.now)) is not None]
            if not dues or max(clock.now, min(dues)) >= end:
                break
            clock.now = max(clock.now + timedelta(milliseconds=10), min(dues))
            for worker in workers:
                worker.deliver_due(clock.now)
        clock.now = end


def told(server, model: str = "shop", cause: str | None = None) -> list[dict]:
    """The messages that a webhook has taken, of one family."""
    data = [message["data"] for message in server.accepted]
    return [message for message in data if cause in (None, message["cause"])]
