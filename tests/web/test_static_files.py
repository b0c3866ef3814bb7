"""The scripts of the pages: their addresses, how long they are kept, and what is in a chart."""

from __future__ import annotations

import json

import httpx
import pytest
from hostile_names import HOSTILE_NAMES
from markupsafe import Markup
from starlette.applications import Starlette

from driftline.charts.distribution_chart import distribution_specification
from driftline.web import serve
from driftline.web.live_charts import live_chart
from driftline.web.make_bundle import make_bundle
from driftline.web.static_files import load_scripts, static_routes

pytestmark = pytest.mark.system


@pytest.fixture
def client():
    server = serve(Starlette(routes=static_routes()), "127.0.0.1", 0)
    with httpx.Client(base_url=f"http://{server.address}", trust_env=False, timeout=60) as client:
        yield client
    server.stop()


def test_scripts_are_kept_for_good_and_packed_where_that_is_understood(client):
    """The address has the hash of the content."""
    assert [name.partition("-")[0] for name in load_scripts()] == ["vega", "htmx", "pages"]
    for name, script in load_scripts().items():
        for encoding in ("gzip", "identity"):
            answer = client.get(f"/static/{name}", headers={"Accept-Encoding": encoding})
            assert answer.content == script.content
            assert "immutable" in answer.headers["cache-control"]
            assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.slow
def test_pages_draw_with_what_pictures_are_drawn_with():
    """The file is the bundle of the engine that draws pictures: `make generated` writes it."""
    [vega] = [script for name, script in load_scripts().items() if name.startswith("vega")]
    assert vega.content.decode() == make_bundle()


@pytest.mark.parametrize("name", ["x.js", "..%2fpages.py", "vega.js"])
def test_there_is_no_other_file(client, name):
    """Neither one without its hash, nor one of another folder."""
    assert client.get(f"/static/{name}").status_code == 404


def test_each_script_says_whose_it_is():
    """The files of others begin with their licence."""
    licences = {"vega": b"BSD 3-Clause", "htmx": b"Zero-Clause BSD"}
    for name, script in load_scripts().items():
        licence = licences.get(name.partition("-")[0])
        assert licence is None or licence in script.content[:400]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_does_not_end_the_attribute_of_a_chart(name):
    """The specification comes out of the page as it went in."""
    bars = [(name, 0.4, 0.6)]
    chart = distribution_specification(bars, is_numeric=False, description="x")
    text = str(live_chart(Markup("<svg></svg>"), chart))
    attribute = text.removeprefix('<div class="chart" data-spec=\'').partition("'")[0]
    assert not {"<", ">", "&"} & set(attribute)
    assert json.loads(attribute)["data"] == chart["data"]
    assert text.endswith("'><svg></svg></div>")
