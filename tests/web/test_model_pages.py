"""The pages of models and columns show what the state has, and nothing that harms."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import httpx
import pytest
from page_client import open_pages
from page_scripts import without_own_scripts
from station import MODEL, START, Station

from driftline.types.secret import Secret
from driftline.web import create_app, serve

pytestmark = pytest.mark.system

HOSTILE = '<script>alert(1)</script> & "quoted" ../../x'
NAMES = MODEL.replace("plan: categorical", "plan: categorical, 'HOSTILE': categorical").replace(
    "      drift: {{type: drift, for: 2",
    "      missing: {{type: missing}}\n      drift: {{type: drift, for: 2",
)


class Elements(HTMLParser):
    """The elements of a page, and the addresses that it asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [
            value for name, value in attrs if name in ("href", "src") and value is not None
        ]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A client of a station whose sixth hour has other amounts; one column has a hostile name."""
    model = NAMES.replace("HOSTILE", HOSTILE.replace("'", "''"))
    model = re.sub(r"    checks:.*", "    checks: {{drift: {{type: drift, for: 2, rule: "
                   "{{measurement: psi, above: {{warning: 0.1}}}}}}, missing: {{type: missing}}}}\n",
                   model, flags=re.S)  # fmt: skip
    station = Station(tmp_path_factory.mktemp("pages"), model)
    extra = {HOSTILE: lambda row: station.rng.choice(["<b>x</b>", "y"])}
    station.write("reference.jsonl", START - timedelta(days=1), timedelta(days=1), 3000, **extra)
    for hour in range(8):
        if hour == 3:
            continue
        moved = 30 if hour >= 6 else 0
        station.hour(hour, amount=lambda row, moved=moved: row["amount"] + moved, **extra)
    station.clock.now = START + timedelta(hours=8, minutes=20)
    with station.open():
        station.tick()
        with open_pages(station) as client:
            yield client


def test_the_overview_lists_each_model_with_its_state(pages):
    """The name leads to the page of the model; the worst open incident stands beside it."""
    text = pages.get("/").text
    assert 'href="m/shop"' in text
    assert "warning" in text
    assert "400 rows, 20 min ago" in text
    assert Elements(text).tags.count("svg") == 1


def test_the_page_of_a_model_shows_what_changed_first(pages):
    """Rows with their gap, the incident, and a line for each series: first the changed one."""
    answer = pages.get("/m/shop")
    assert answer.status_code == 200
    assert answer.text.count('class="gap"') == 1
    assert "../i/inc_" in answer.text
    series = re.findall(r'href="shop/column\?name=([^"]+)"', answer.text)
    assert series[0] == "amount"
    assert 'class="pill warning">changed' in answer.text


def test_the_page_of_a_column_shows_both_distributions(pages):
    """The window beside the reference, as a picture and as a table, and a chart of each series."""
    text = pages.get("/m/shop/column", params={"name": "amount"}).text
    assert 'class="before"' in text
    assert 'class="now"' in text
    assert "<details>" in text
    assert Elements(text).tags.count("svg") >= 3
    plan = pages.get("/m/shop/column", params={"name": "plan"}).text
    shares = re.findall(
        r"<tr><td>([abc])</td><td[^>]*>(\d+)\.\d%</td><td[^>]*>(\d+)\.\d%</td></tr>", plan
    )
    assert {name for name, _, _ in shares} == {"a", "b", "c"}
    assert all(25 < int(share) < 42 for _, *both in shares for share in both)


def test_no_page_has_a_script_or_asks_another_site(pages):
    """But those of the package. Hostile names are text; every address is on this site."""
    for path, params in (
        ("/", {}),
        ("/m/shop", {}),
        ("/m/shop/column", {"name": HOSTILE}),
        ("/m/shop/column", {"name": "<b>"}),
        (f"/m/{HOSTILE[:20]}", {}),
    ):
        answer = pages.get(path, params=params)
        elements = Elements(without_own_scripts(answer.text))
        assert not {"script", "iframe", "object", "b"} & set(elements.tags)
        assert not [address for address in elements.addresses if ":" in address or "//" in address]
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_links_of_a_page_lead_to_pages(pages):
    """Each address on the pages of model and column answers 200."""
    for path in ("/", "/m/shop"):
        base = pages.base_url.join(path)
        addresses = set(Elements(pages.get(path).text).addresses)
        for address in sorted(addresses - {"metrics"}):  # A single pass has no metrics.
            assert pages.get(base.join(address)).status_code in (200, 503), address


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/m/nowhere", "there are: shop"),
        ("/m/shop/column?name=nowhere", "No check has measured a column of this name"),
        ("/api/models/nowhere", "there are: shop"),
    ],
)
def test_what_is_not_there_is_said(pages, path, text):
    """An unknown model, and an unknown column."""
    answer = pages.get(path)
    assert answer.status_code == 404
    assert text in answer.text


@pytest.mark.parametrize("windows", ["4", "0", "-1", "x", "99999", ""])
def test_the_number_of_windows_can_be_chosen(pages, windows):
    """Any text gives a page: at least 2 windows, at most 720."""
    answer = pages.get("/api/models/shop", params={"windows": windows})
    count = len(answer.json()["windows"])
    assert count == {"4": 4, "0": 2}.get(windows, 8)


def test_programs_get_the_same_numbers(pages):
    """The API has the windows, the series and the incidents of the page."""
    summary = pages.get("/api/models").json()["models"][0]
    assert (summary["name"], summary["severity"], summary["rows"]) == ("shop", "warning", 400)
    view = pages.get("/api/models/shop").json()
    assert [window["rows"] for window in view["windows"]] == [400] * 3 + [0] + [400] * 4
    first = view["series"][0]
    assert (first["measurement"], json.loads(first["values"][0]["labels"])) == (
        "psi",
        {"column": "amount"},
    )
    assert first["values"][-1]["verdict"] == "changed"


def test_without_the_token_nothing_of_a_model_is_shown(tmp_path):
    """Where the pages have a token, models and columns ask for it."""
    station = Station(tmp_path)
    with station.open():
        app = create_app(station.agent, Secret("${env:T}", "t" * 20), None, clock=station.clock)
        server = serve(app, "127.0.0.1", 0)
        for path in ("/m/shop", "/m/shop/column", "/api/models", "/api/models/shop"):
            answer = httpx.get(f"http://{server.address}{path}")
            assert answer.status_code == 401
            assert "shop" not in answer.text
        server.stop()


@pytest.mark.parametrize(
    ("until", "windows"),
    [("2026-05-01", 8), ("2026-04-30", 0), ("x", 8), ("9999-12-31", 8), ("2026-13-01", 8)],
)
def test_a_page_ends_with_the_day_that_was_chosen(pages, until, windows):
    """Windows after the day are left out; what is no day is as no choice."""
    for path in ("/m/shop", "/m/shop/performance"):
        assert pages.get(path, params={"until": until}).status_code == 200
    page = pages.get("/m/shop", params={"until": until}).text
    assert (f"{windows} windows, " in page) == bool(windows)


def test_two_windows_of_a_column_can_be_compared(pages):
    """Any window beside any other; one that is not there gives the newest and the reference."""
    hour = 3_600_000_000
    start = int(START.timestamp()) * 1_000_000
    params = {"name": "amount", "window": str(start + 7 * hour), "beside": str(start)}
    page = pages.get("/m/shop/column", params=params).text
    assert "the window of 2026-05-01 00:00 UTC" in page
    assert "the window 2026-05-01 07:00 UTC" in page
    for text in ("1", "x", "-5", "9" * 30, str(start + 3 * hour)):
        page = pages.get(
            "/m/shop/column", params={"name": "amount", "window": text, "beside": text}
        ).text
        assert "the window 2026-05-01 07:00 UTC" in page
        assert "</span> the reference" in page


def test_the_overview_is_searched(pages):
    """By a part of the name, in any case, and by open incidents."""
    assert 'href="m/shop"' in pages.get("/", params={"q": "SHO", "state": "open"}).text
    nothing = pages.get("/", params={"q": '"><script>'}).text
    assert 'href="m/shop"' not in nothing
    assert "0 of 1 models" in nothing
    assert "<script" not in without_own_scripts(nothing)
