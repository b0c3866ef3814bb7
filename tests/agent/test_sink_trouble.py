"""A sink that is away is trouble of the agent's own: the other sinks hear of it, once, and of its
end.
"""

from datetime import timedelta

import pytest
from station import DIARY, START, Station

pytestmark = pytest.mark.postgres

AWAY = DIARY.replace("return [Diary]", "return [Diary, Away]").replace(
    "@hookimpl",
    '''
class Away(Sink):
    """Fails until there is a file."""
    type = "away"
    pace = 0.0
    path: str
    """The file."""
    def send(self, notification):
        if not Path(self.path).exists():
            raise Retryable("connection refused")

@hookimpl''',
)


def test_a_sink_that_is_away_is_told_by_the_others(tmp_path):
    """After ten attempts, not before; when it takes messages again, that is over."""
    station = Station(tmp_path, plugins=AWAY.replace("import Sink", "import Retryable, Sink"))
    station.config.write_text(
        station.config.read_text()
        + f"  pager: {{type: away, options: {{path: {tmp_path}/back}}}}\n"
    )
    with station.open():
        for hour in range(4):
            station.hour(hour, amount=100.0)
        station.clock.now = START + timedelta(hours=4, minutes=20)
        station.tick()
        began, attempts = station.clock.now, 0
        while not station.events("monitoring"):
            due = [
                at
                for worker in station.agent.workers
                if (at := worker.next_due(station.clock.now)) is not None
            ]
            station.clock.now = max(station.clock.now + timedelta(seconds=1), min(due))
            attempts += sum(
                worker.deliver_due(station.clock.now) for worker in station.agent.workers
            )
        assert timedelta(minutes=5) < station.clock.now - began < timedelta(hours=6)
        told = station.told()[-1]
        assert (
            "sink pager: its receiver did not take the message after 10 attempts; the message "
            in told["alerts"][0]["reason"]
        )
        (tmp_path / "back").touch()
        station.clock.now += timedelta(hours=2)
        for _ in range(3):
            station.tick()
            station.clock.now += timedelta(minutes=1)
        assert station.events("monitoring") == ["opened", "resolved"]
