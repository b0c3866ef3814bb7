"""A user's check in one file: the agent words, validates and inhibits it like one that ships."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from slack_service import TOKEN, SlackService
from station import DIARY, START, Station

from driftline.cli.main import main
from driftline.config.load import load_config
from driftline.types.errors import ConfigError
from driftline.web import create_app, serve

pytestmark = pytest.mark.system

PLUGIN = (
    DIARY
    + '''
from driftline import Check, Measurement, above
from driftline.kit.checks import ColumnName, Wording, phrasing


class CheapOrders(Check):
    """Orders below a price."""

    type = "cheap_orders"
    cause = "quality"
    default_rules = {"cheap_share": above(critical=0.5)}
    wordings = {
        "cheap_share": Wording(
            sentence=lambda alert: f"{phrasing.share(alert.value)} of all orders are cheap"
        )
    }

    priced_by: tuple[ColumnName, ...] = ()
    """The columns with prices."""

    def evaluate(self, ctx):
        for name in self.priced_by:
            mean = ctx.current.columns[name].mean
            share = 0.9 if mean < 40 else 0.1
            yield Measurement(share, {"column": name}, name="cheap_share", unit="share")


class Backlog(Check):
    """Orders that wait to be sent."""

    type = "backlog"
    cause = "service"
    default_rules = {"waiting": above(critical=500)}
    inhibits = (("measurement=waiting", "family=quality"),)

    def evaluate(self, ctx):
        yield Measurement(float(ctx.current.rows), name="waiting")


@hookimpl
def register_checks():
    return [CheapOrders, Backlog]
'''
)
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{amount: numeric, plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    checks:
      prices: {{type: cheap_orders, options: {{priced_by: [amount]}}}}
      queue: {{type: backlog}}
"""
SENTENCE = "90% of all orders are cheap"


def write_hours(station: Station, **changes: object) -> None:
    """Six hours of orders, the last two of them cheap."""
    for hour in range(6):
        late = hour >= 4
        station.hour(
            hour,
            amount=lambda row, late=late: row["amount"] - (30 if late else 0),
            **(changes if late else {}),
        )
    station.clock.now = START + timedelta(hours=6, minutes=20)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A whole agent that has told Slack of cheap orders."""
    with pytest.MonkeyPatch.context() as patch, SlackService() as server:
        patch.setenv("BOT", TOKEN)
        station = Station(tmp_path_factory.mktemp("own"), MODEL, plugins=PLUGIN)
        options = f'{{token: "${{env:BOT}}", channel: {server.channel}, url: "{server.url}"}}'
        sink = f"  bot: {{type: slack_bot, allow_private: true, options: {options}}}\n"
        station.config.write_text(station.config.read_text() + sink)
        write_hours(station)
        with station.open():
            station.tick()
            yield station, server


def test_its_sentence_is_in_slack(scene):
    """Title and finding of the message say what the check declares."""
    station, server = scene
    assert SENTENCE in server.accepted[0]["text"]
    parts = {name: part for name, part in server.accepted[0].items() if name != "text"}
    assert SENTENCE in str(parts)
    [incident] = [note for note in station.told() if note["cause"] == "quality"]
    assert SENTENCE in incident["title"]


def test_its_sentence_is_on_the_page(scene):
    """The incident page has the same sentence."""
    station, _ = scene
    [note] = [note for note in station.told() if note["cause"] == "quality"]
    server = serve(create_app(station.agent, None, None, clock=station.clock), "127.0.0.1", 0)
    try:
        with httpx.Client(base_url=f"http://{server.address}", trust_env=False) as client:
            page = client.get(f"/i/{note['incident']}")
    finally:
        server.stop()
    assert page.status_code == 200
    assert SENTENCE in page.text.split("<body", 1)[1].replace(note["title"], "")


def test_its_sentence_is_in_explain(scene, capsys):
    """`driftline explain` has the same sentence for each finding."""
    station, _ = scene
    [note] = [note for note in station.told() if note["cause"] == "quality"]
    with pytest.raises(SystemExit) as left:
        main(["explain", note["incident"], "-c", str(station.config)])
    assert left.value.code == 0
    assert SENTENCE in capsys.readouterr().out.replace(note["title"], "")


def test_it_inhibits_and_is_inhibited(tmp_path):
    """While the incident of one check is open, those that it declares to follow are held."""
    station = Station(tmp_path, MODEL, plugins=PLUGIN)
    write_hours(station, count=600)
    with station.open():
        station.tick()
        service = station.agent.incident_service
        found = {one["family"]: one["id"] for one in service.list_incidents(every=True)}
        history = service.incident(found["quality"])["history"]
    assert station.events() == station.events("service") == ["opened"]
    assert history[0]["held"] == f"inhibited by {found['service']}"


def test_a_wrong_column_gets_a_suggestion(tmp_path):
    """An option whose type names columns is validated with its place, whatever it is called."""
    station = Station(tmp_path, MODEL.replace("[amount]", "[plan, amuont]"), plugins=PLUGIN)
    with pytest.raises(ConfigError) as error:
        load_config(station.config)
    [problem] = error.value.problems
    assert "did you mean 'amount'?" in problem.message
    assert problem.name == "models.shop.checks.prices.options.priced_by[1]"
