"""A report as a file in Chromium: from the disk, without network, for everyone to read."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from hostile_names import HOSTILE_NAMES
from station import START, Station

from driftline.report.model_report import load_report

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The report of a model whose columns all moved, and have hostile names."""
    folder = tmp_path_factory.mktemp("report")
    names = HOSTILE_NAMES[:24]
    columns = "".join(f"        {quoted(name)}: numeric\n" for name in names)
    model = f"""
    source: {{{{type: local, options: {{{{path: {{folder}}/log, format: jsonl}}}}}}}}
    schema:
      timestamp: t
      id: id
      features:
{columns}    reference: {{{{type: local, options: {{{{path: {{folder}}/reference.jsonl}}}}}}}}
    windows: {{{{length: 1h, lateness: 15m}}}}
    checks:
      drift: {{{{type: drift, rule: {{{{measurement: psi, above: {{{{warning: 0.1}}}}}}}}}}}}
"""
    station = Station(folder, model)
    station.write(
        "reference.jsonl",
        START - timedelta(days=1),
        timedelta(days=1),
        600,
        **dict.fromkeys(names, lambda row: station.rng.gauss(0, 1)),
    )
    for hour in range(5):
        station.hour(
            hour,
            150,
            **dict.fromkeys(names, lambda row, moved=hour >= 3: station.rng.gauss(3 * moved, 1)),
        )
    station.clock.now = START + timedelta(hours=5, minutes=20)
    with station.open():
        station.tick()
        load_report(station.agent.model_views, "shop").save(folder / "report.html")
    return folder / "report.html"


def quoted(name):
    """A name as a key of YAML in a text that is formatted."""
    text = name.replace("'", "''").replace("{", "{{").replace("}", "}}")
    return f"'{text}'"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_a_report_opens_from_the_disk(browser, path, width, scheme):
    """Nothing is asked or forbidden, nothing runs, it fits, and axe finds no serious fault."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    trouble, asked = [], []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert path.stat().st_size < 2_000_000
    assert page.locator("figure > svg[role=img][aria-label]").count() == 24
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(page).response["violations"]
    serious = [
        (fault["id"], [node["html"][:160] for node in fault["nodes"][:3]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []
    assert (trouble, asked) == ([], [path.as_uri()])
