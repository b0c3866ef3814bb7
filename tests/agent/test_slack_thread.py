"""A whole agent and a Slack bot: one incident is one message and its thread, across restarts, with
the chart.
"""

import json
from datetime import timedelta

import pytest
from slack_service import TOKEN, SlackService
from station import MODEL, START, Station

from driftline.alerting.acts import ActKind

pytestmark = [pytest.mark.postgres, pytest.mark.system]

BUTTONS = ("acknowledge", "snooze", "accept as normal")


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


def test_the_channel_hears_what_matters_and_buttons_reflect_the_state(tmp_path, monkeypatch):
    """A worsening, the end of a snooze and a reopening are shown in the channel; the message has
    buttons for what can be done: none to acknowledge it twice, and only the page once it is over.
    """
    monkeypatch.setenv("BOT", TOKEN)
    monkeypatch.setenv("ACT", "a-token-of-sixteen-characters")
    station = Station(tmp_path, MODEL)
    station.configure(MODEL, ', token: "${env:ACT}", public_url: "https://driftline.example"')
    # The rule's warning begins at a PSI of 0.1, which is a shift by about 0.3 sd.
    shifts = {3: 5.0, 4: 5.0, 5: 60, 6: 60, 7: 60, 8: 60, 9: 60, 13: 60, 14: 60}
    for hour in range(17):
        by = shifts.get(hour, 0)
        station.hour(hour, 1500, amount=lambda row, by=by: row["amount"] + by)
    with SlackService() as server:
        options = f'{{token: "${{env:BOT}}", channel: {server.channel}, url: "{server.url}"}}'
        sink = f"  bot: {{type: slack_bot, allow_private: true, options: {options}}}\n"
        station.config.write_text(station.config.read_text() + sink)

        def watch(first: int, last: int) -> None:
            with station.open():
                for hour in range(first, last):
                    station.clock.now = START + timedelta(hours=hour, minutes=20)
                    for _ in range(4):
                        station.tick()
                        station.clock.now += timedelta(seconds=20)

        def act(kind: ActKind, **options: timedelta) -> None:
            with station.open():
                [(incident,)] = station.sql(
                    "SELECT id FROM incidents WHERE state = 'firing' AND cause = 'drift'"
                )
                station.agent.incident_service.request_act(kind, incident, "ann", "", **options)
                for _ in range(3):
                    station.clock.now += timedelta(seconds=20)
                    station.tick()

        def parent() -> dict:
            [message] = [
                one
                for one in server.accepted
                if "thread_ts" not in one and "“amount”" in one["text"]
            ]
            return message

        def labels() -> set[str]:
            return {label for label in BUTTONS if f'"{label}"' in json.dumps(parent()).lower()}

        def broadcasts() -> list[str]:
            replies = [one for one in server.accepted if one.get("thread_ts") == parent()["ts"]]
            return [one["text"] for one in replies if one.get("reply_broadcast")]

        watch(1, 6)
        assert labels() == {"acknowledge", "snooze", "accept as normal"}
        first = broadcasts()
        watch(6, 8)
        [*earlier, _] = broadcasts()
        assert earlier == first, "one reply says that it got worse"
        act(ActKind.ACKNOWLEDGE)
        assert labels() == {"snooze", "accept as normal"}
        act(ActKind.SNOOZE, length=timedelta(minutes=70))
        watch(8, 9)
        assert len(broadcasts()) == len(first) + 1
        watch(9, 10)
        assert len(broadcasts()) == len(first) + 2, "the snooze is over"
        assert labels() == {"snooze", "accept as normal"}
        watch(10, 14)
        assert parent()["text"].startswith("OK ")
        assert labels() == set()
        watch(14, 16)
        assert len(broadcasts()) == len(first) + 3, "it came back"
        assert labels() == {"acknowledge", "snooze", "accept as normal"}
