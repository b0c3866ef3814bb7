"""The pages in Chromium: nothing is asked elsewhere, nothing is forbidden, all is reached by keys."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from station import MODEL, START, Station

from driftline.types.secret import Secret
from driftline.web import create_app, serve

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

TOKEN = Secret("${env:T}", "act-token")
READER = Secret("${env:R}", "reader-token")
CHARTS = {
    "/": 1,
    "/incidents": 1,
    "/m/shop": 2,
    "/m/shop/performance": 3,
    "/m/shop/runs": 0,
    "/m/shop/column?name=amount": 2,
    "/health": 0,
    "/configuration": 0,
}
"""The pages, and the least number of charts on each."""
LABELLED = MODEL.replace(
    "features: {{amount: numeric, plan: categorical}}",
    "features: {{amount: numeric, plan: categorical}}\n"
    "      prediction: {{kind: binary, score: s}}\n      label: {{column: y}}",
).replace("      volume:", "      right: {{type: performance}}\n      volume:")


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """An agent at work on a model that drifts from the third hour on, with labels."""
    station = Station(tmp_path_factory.mktemp("browser"), LABELLED)

    def scores(row):
        return min(max(row["amount"] / 100, 0.0), 1.0)

    def labels(row):
        return int(station.rng.random() < scores(row))

    scored = {"s": scores, "y": labels}
    station.write("reference.jsonl", START - timedelta(days=1), timedelta(days=1), 2000, **scored)
    for hour in range(6):
        moved = {"amount": lambda row: row["amount"] + 30} if hour >= 2 else {}
        station.hour(hour, 300, **scored, **moved)
    station.clock.now = START + timedelta(hours=6, minutes=20)
    with station.open():
        station.tick()
        yield station


@pytest.fixture(scope="module")
def address(station):
    app = create_app(station.agent, READER, TOKEN, clock=station.clock)
    server = serve(app, "127.0.0.1", 0)
    yield f"http://{server.address}"
    server.stop()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Opens a page of the agent; at the end nothing may have been asked elsewhere or forbidden."""
    contexts, trouble = [], []

    def visit(path, *, width=1440, scheme="light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            http_credentials={"username": "x", "password": READER.reveal()},
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "console",
            lambda message: trouble.append(message.text) if message.type == "error" else None,
        )
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(address) else trouble.append(request.url)
            ),
        )
        answer = page.goto(address + path)
        assert answer.status == 200
        return page

    yield visit
    for context in contexts:
        context.close()
    # Chromium notes the 401 that makes it send the password.
    assert [text for text in trouble if "401" not in text] == []


@pytest.fixture(scope="module")
def incident(station):
    return station.sql("select id from incidents where state = 'firing'")[0][0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("path", [*CHARTS, "incident"])
def test_a_page_fits_its_screen_and_draws_its_charts(visit, incident, path, width, scheme):
    """No page scrolls sideways; each chart has a name for screen readers."""
    page = visit(f"/i/{incident}" if path == "incident" else path, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    charts = page.locator("main svg[role=img][aria-label]")
    assert charts.count() >= CHARTS.get(path, 0)
    assert charts.count() == page.locator("main svg").count()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 17, 29)"
    assert dark == (scheme == "dark")


LIVE = {"/m/shop": 2, "/m/shop/performance": 5, "/m/shop/column?name=amount": 3}
"""Pages whose charts the browser draws, and the least number of them."""


@pytest.mark.parametrize("path", LIVE)
def test_the_browser_draws_each_chart_in_the_place_of_its_picture(visit, path):
    """Within the policy of the page: without eval, styles or other sites."""
    page = visit(path)
    charts = page.locator("[data-spec]")
    assert charts.count() >= LIVE[path]
    for place in range(charts.count()):
        charts.nth(place).scroll_into_view_if_needed()
        charts.nth(place).locator(".vega-embed svg[role=img][aria-label]").wait_for()
    assert page.locator("[data-spec] > svg").count() == 0


@pytest.mark.parametrize("path", LIVE)
def test_without_scripts_a_page_has_the_same_charts(visit, path):
    """As pictures of the server, each with its name."""
    page = visit(path, java_script_enabled=False)
    assert page.locator("[data-spec] > svg[role=img][aria-label]").count() >= LIVE[path]


def test_a_filter_changes_the_list_without_a_new_page(visit):
    """The address has the choice, so that it can be shared; the field keeps its focus."""
    page = visit("/incidents")
    page.evaluate("window.isSamePage = true")
    page.get_by_label("Severity").focus()
    page.get_by_label("Severity").select_option("info")
    page.get_by_text("No incident matches.").wait_for()
    assert page.evaluate("window.isSamePage") is True
    assert "severity=info" in page.url
    assert page.evaluate("document.activeElement.name") == "severity"


def test_a_page_that_loads_again_asks_with_its_tag(visit):
    """A page without news is answered with 304, and what a reader opened stays open."""
    page = visit("/m/shop?refresh=10")
    page.locator("main details summary").first.click()
    with page.expect_response(lambda answer: "refresh" in answer.url, timeout=30_000):
        pass
    page.wait_for_timeout(500)
    assert page.locator("main details").first.evaluate("item => item.open")
    with page.expect_response(lambda answer: "refresh" in answer.url, timeout=30_000) as second:
        pass
    assert second.value.status == 304
    assert page.locator("main details").first.evaluate("item => item.open")


@pytest.mark.parametrize("path", [*CHARTS, "incident"])
def test_keys_reach_everything_that_can_be_used(visit, incident, path):
    """Tab visits every link, field, button and fold, the first time round."""
    page = visit(f"/i/{incident}" if path == "incident" else path)
    usable = "a[href], button, select, input:not([type=hidden]), summary, [tabindex='0']"
    count = page.evaluate(
        "selector => { const all = [...document.querySelectorAll(selector)]"
        ".filter(element => element.checkVisibility());"
        "all.forEach((element, place) => element.dataset.place = place); return all.length }",
        usable,
    )
    seen = set()
    for _ in range(count * 3 + 5):  # A date has three parts.
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.dataset.place"))
        if len(seen - {None}) == count:
            break
    assert len(seen - {None}) == count


@pytest.mark.parametrize("path", [*CHARTS, "incident"])
def test_an_audit_of_accessibility_finds_no_serious_fault(visit, incident, path):
    """By axe, in both colour schemes."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    for scheme in ("light", "dark"):
        page = visit(
            f"/i/{incident}" if path == "incident" else path, scheme=scheme, bypass_csp=True
        )
        found = axe.Axe().run(page).response["violations"]
        serious = [
            (fault["id"], [node["html"][:160] for node in fault["nodes"][:3]])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_a_form_changes_what_it_says(visit, station, incident):
    """A reader silences an incident with the token: the silence is there, the page says so."""
    page = visit(f"/i/{incident}")
    page.get_by_role("link", name="silence").click()
    page.get_by_label("Your name").fill("ada")
    page.get_by_label("Reason").fill("a planned change")
    page.get_by_label("For").select_option("4h")
    page.get_by_label("Token").fill("act-token")
    page.get_by_role("button", name="Silence").click()
    assert page.get_by_role("heading", name="Noted").is_visible()
    assert station.sql("select author, reason from silences") == [("ada", "a planned change")]
    page.get_by_role("link", name="See the incident").click()
    assert page.url.endswith(f"/i/{incident}")


def test_filters_and_ranges_keep_what_was_chosen(visit):
    """A form of a page brings a page with its choice."""
    page = visit("/incidents")
    page.get_by_label("Severity").select_option("info")
    page.get_by_role("button", name="Show").click()
    assert page.get_by_text("No incident matches.").is_visible()
    assert page.get_by_label("Severity").input_value() == "info"
    page = visit("/m/shop")
    page.get_by_role("combobox", name="Windows").select_option("24")
    page.get_by_role("button", name="Show").click()
    assert page.get_by_role("combobox", name="Windows").input_value() == "24"
