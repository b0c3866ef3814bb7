"""Names that would break a page stand on every page as text, and each leads to its own page."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import quote, urljoin

import pytest
from hostile_names import HOSTILE_NAMES
from page_client import open_pages
from page_scripts import without_own_scripts
from station import START, Station

from driftline.types.phrasing import clean

pytestmark = [pytest.mark.system, pytest.mark.slow]


class Page(HTMLParser):
    """The elements of a page, its addresses, and the text of its heading."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.heading = ""
        self._in_heading = False
        self.feed(without_own_scripts(text))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value for name, value in attrs if name in ("href", "src", "action")]
        self._in_heading = tag == "h1"

    def handle_endtag(self, tag):
        self._in_heading = False

    def handle_data(self, data):
        self.heading += data if self._in_heading else ""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of a station whose columns have these names, and so have its values."""
    names = json.dumps(dict.fromkeys(HOSTILE_NAMES, "categorical"), ensure_ascii=False)
    model = f"""
    source: {{{{type: local, options: {{{{path: {{folder}}/log, format: jsonl}}}}}}}}
    schema:
      timestamp: t
      id: id
      features: {names.replace("{", "{{").replace("}", "}}")}
      segments: [column]
    reference: {{{{type: local, options: {{{{path: {{folder}}/reference.jsonl}}}}}}}}
    windows: {{{{length: 1h, lateness: 15m}}}}
    checks: {{{{missing: {{{{type: missing}}}}, drift: {{{{type: drift}}}}}}}}
"""
    station = Station(tmp_path_factory.mktemp("names"), model)
    columns = dict.fromkeys(HOSTILE_NAMES, lambda row: station.rng.choice(HOSTILE_NAMES[:4]))
    station.write("reference.jsonl", START - timedelta(days=1), timedelta(days=1), 200, **columns)
    for hour in range(2):
        station.hour(hour, 60, **columns)
    station.clock.now = START + timedelta(hours=2, minutes=20)
    with station.open():
        station.tick()
        with open_pages(station) as client:
            yield client


def is_harmless(page: Page) -> bool:
    """Whether nothing of a page runs, and nothing leads elsewhere."""
    return not (
        page.tags & {"script", "iframe", "object", "embed", "img", "b"}
        or {name for name in page.attributes if name.startswith("on")}
        or [address for address in page.addresses if ":" in address or address.startswith("//")]
    )


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_column_of_any_name_has_its_page(client, name):
    """The heading is the name on one line; nothing of it is markup or an address."""
    answer = client.get("/m/shop/column", params={"name": name})
    assert answer.status_code == 200
    page = Page(answer.text)
    assert page.heading == clean(name, 100)
    assert is_harmless(page)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_any_text_in_an_address_gives_a_harmless_answer(client, name):
    """Of models, segments, filters and searches that nobody made."""
    for path, query in (
        ("/", {"q": name}),
        ("/incidents", {"model": name, "family": name, "severity": name, "state": name}),
        ("/configuration", {"q": name}),
        ("/m/shop", {"segment": name}),
        ("/m/shop/runs", {"only": name, "page": name}),
    ):
        answer = client.get(path, params=query)
        assert answer.status_code == 200
        assert is_harmless(Page(answer.text)), path
    answer = client.get(f"/m/{quote(name, safe='')}")
    assert answer.status_code in (200, 404)
    assert is_harmless(Page(answer.text))


def test_each_name_on_the_page_of_a_model_leads_to_a_page(client):
    """Every column has a link, and every link of the page answers."""
    base = "http://x/m/shop"
    page = Page(client.get("/m/shop").text)
    assert is_harmless(page)
    columns = {address for address in page.addresses if "column?name=" in address}
    assert len(columns) == len(HOSTILE_NAMES)
    for address in sorted(columns | {a for a in page.addresses if "segment=" in a}):
        path = urljoin(base, address).removeprefix("http://x")
        assert client.get(path).status_code == 200, address
