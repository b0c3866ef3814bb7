"""A whole agent and a Slack bot: one incident is one message and its thread, across restarts, with
the chart.
"""

from datetime import timedelta

import pytest
from slack_service import TOKEN, SlackService
from station import MODEL, START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]


def test_an_incident_is_one_message_across_restarts(tmp_path, monkeypatch):
    """Opened by one agent and resolved by another: the message is found again, changed, and the
    thread hears of the end.
    """
    station = Station(tmp_path, MODEL)
    monkeypatch.setenv("BOT", TOKEN)
    for hour in range(9):
        station.hour(
            hour, amount=lambda row, hour=hour: row["amount"] + (100 if 3 <= hour < 6 else 0)
        )
    with SlackService() as server:
        options = f'{{token: "${{env:BOT}}", channel: {server.channel}, url: "{server.url}"}}'
        sink = f"  bot: {{type: slack_bot, allow_private: true, options: {options}}}\n"
        station.config.write_text(station.config.read_text() + sink)
        for hour in range(1, 11):
            station.clock.now = START + timedelta(hours=hour, minutes=20)
            with station.open():
                for _ in range(4):
                    station.tick()
                    station.clock.now += timedelta(seconds=20)
        drift = [one for one in server.accepted if "“amount”" in one["text"]]
        [message] = [one for one in drift if "thread_ts" not in one]
        assert message["text"].startswith("OK shop: “amount” is back to normal")
        assert [one["thread_ts"] for one in drift if one is not message][-1:] == [message["ts"]]
        [upload] = [
            upload for upload in server.uploads.values() if upload["thread"] == message["ts"]
        ]
        assert upload["bytes"].startswith(b"\x89PNG")
