"""The key that signs links: random, in the state, apart from the tokens, and rotated by a command."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from databases import opened
from page_client import open_pages
from station import MODEL, START, Station

from driftline.agent import composition_root
from driftline.cli.main import cli
from driftline.delivery.links import expiry, sign_query
from driftline.state.link_keys import add_first_key, load_keys, rotate_key
from driftline.state.tables import link_keys

pytestmark = [pytest.mark.postgres, pytest.mark.system]

TOKEN = "s3cret-token-of-24-chars"
LINKED = ', token: "${env:DRIFTLINE_TOKEN}", public_url: "https://watch.example"'


@pytest.fixture
def station(tmp_path, monkeypatch):
    """An agent whose model drifts, so that its messages have links."""
    monkeypatch.setenv("DRIFTLINE_TOKEN", TOKEN)
    station = Station(tmp_path)
    station.configure(MODEL, LINKED)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    with station.open():
        for hour in range(4):
            station.hour(hour, amount=lambda row: row["amount"] + 30)
        station.clock.now += timedelta(hours=4, minutes=20)
        station.tick()
        yield station


@pytest.fixture
def client(station):
    with open_pages(station, TOKEN) as client:
        yield client


def link(station: Station) -> str:
    """The path that acknowledges, in the newest message."""
    return station.told()[-1]["links"]["acknowledge"].removeprefix("https://watch.example")


def rotate(station: Station, *options: str) -> str:
    result = CliRunner().invoke(
        cli, ["rotate-key", *options, "-c", str(station.config)], standalone_mode=False
    )
    assert result.exception is None, result.output
    return result.output


def keys(station: Station) -> tuple[bytes, ...]:
    with station.agent.store.read() as connection:
        return load_keys(connection, station.clock())


def test_old_links_work_until_the_overlap_ends(station, client):
    """While the agent runs: a link from before, and its form; new links are of the new key."""
    old, first_key = link(station), keys(station)[0]
    name = station.told()[-1]["incident"]
    assert client.get(old).status_code == 200
    page = client.get(old).text
    assert "links of messages before it work until 2026-05-01 06:20 UTC" in rotate(
        station, "--overlap", "2h"
    )
    assert len(keys(station)) == 2
    assert keys(station)[1] == first_key
    assert client.get(old).status_code == 200
    form = {"token": page.partition('name=token value="')[2].partition('"')[0], "author": "ada"}
    assert "Noted" in client.post(old, data=form).text

    new = f"/i/{name}/snooze?" + sign_query(
        keys(station)[0], name, "snooze", expiry(station.clock())
    )
    station.clock.now += timedelta(hours=2)
    assert client.get(old).status_code == 403
    assert client.get(new).status_code == 200
    assert keys(station) == keys(station)[:1] != (first_key,)


def test_a_rotation_without_overlap_ends_all_links_at_once(station, client):
    """After a leak: also the keys whose overlap was still on."""
    old = link(station)
    rotate(station, "--overlap", "7d")
    assert "do not work any more" in rotate(station, "--overlap", "0s")
    assert client.get(old).status_code == 403
    assert len(keys(station)) == 1


def test_the_token_signs_nothing(station, client):
    """Who knows the token has no key: a link that is signed with it is a bad link."""
    name, until = station.told()[-1]["incident"], expiry(station.clock())
    forged = f"/i/{name}/ack?{sign_query(TOKEN.encode(), name, 'ack', until)}"
    assert client.get(forged).status_code == 403
    assert len(keys(station)[0]) == 32


@pytest.mark.parametrize(
    "until", ["0", "-1", "9" * 12, "9" * 13, "9" * 400, "1e9", "٣٣٣", "", "nan", "\x00"]
)
def test_an_expiry_out_of_range_is_a_bad_link(station, client, until):
    """No number, however large, is an error of the agent; nor is a right signature for it."""
    name = station.told()[-1]["incident"]
    signatures = ["x" * 43, "é"]
    if until.isascii() and until.isdigit() and len(until) > 12:
        signatures.append(
            sign_query(keys(station)[0], name, "ack", int(until)).partition("sig=")[2]
        )
    for signature in signatures:
        for path in (f"/i/{name}/ack", f"/i/{name}/chart.png", f"/a/{name}/approve"):
            answer = client.get(path, params={"exp": until, "sig": signature})
            assert answer.status_code in (401, 403), (path, answer.status_code)
        posted = client.post(f"/i/{name}/ack", params={"exp": until, "sig": signature}, data={})
        assert posted.status_code == 403


def test_the_first_key_is_made_once_and_a_rotation_shortens_earlier_ones():
    """A second start makes no second key; what has ended is removed at the next rotation."""
    with opened() as store, store.write() as connection:
        add_first_key(connection, b"1" * 32, START)
        add_first_key(connection, b"2" * 32, START)
        assert load_keys(connection, START) == (b"1" * 32,)
        rotate_key(connection, b"3" * 32, START, timedelta(days=7))
        rotate_key(connection, b"4" * 32, START, timedelta(days=1))
        assert load_keys(connection, START + timedelta(hours=23)) == tuple(
            digit * 32 for digit in (b"4", b"3", b"1")
        )
        assert load_keys(connection, START + timedelta(days=1)) == (b"4" * 32,)
        rotate_key(connection, b"5" * 32, START + timedelta(days=2), timedelta(days=1))
        assert len(connection.execute(sa.select(link_keys)).all()) == 2
