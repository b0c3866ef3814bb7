"""Makes the pictures of the pages and of a report: an agent on made-up logs, shown by Chromium.

Three models: one whose tenure drifts since its second version, one that had an outage of a column
and recovered, and a quiet one. Needs Chromium and the package playwright.

.venv/bin/python docs/img/pages.py [FOLDER OF THE PICTURES]
"""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from driftline.agent.agent import Agent
from driftline.agent.composition_root import open_agent, read_config
from driftline.delivery.links import expiry, sign_query
from driftline.report.model_report import load_report
from driftline.telemetry.logs import make_log
from driftline.types.notification import OPEN
from driftline.types.secret import Secret
from driftline.web import create_app, serve

BEGIN, DAYS, STEP = datetime(2026, 5, 4, tzinfo=UTC), 16, timedelta(hours=6)
ROWS, FIRST = 240, 15
"""Rows of a window, and the windows before the agent starts."""
NAMES = ("churn", "credit-risk", "pricing")
CONFIG = """
version: 1
agent: {{state: "sqlite:///{folder}/state.db", http: null, workers: 2}}
models:
  churn: {model}
  credit-risk: {model}
  pricing: {model}
"""
MODEL = """
    source: {{type: local, options: {{path: {folder}/{name}, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      version: version
      features: {{tenure: numeric, monthly_fee: numeric, plan: categorical}}
      prediction: {{kind: binary, score: score}}
      label: {{column: churned}}
    reference: {{type: local, options: {{path: {folder}/{name}-reference.jsonl}}}}
    windows: {{length: 6h, lateness: 15m}}
    first_report: false
    checks:
      drift: {{type: drift}}
      missing: {{type: missing}}
      performance: {{type: performance}}
      volume: {{type: volume}}
"""
SHOTS = {
    "overview": "/",
    "model": "/m/churn",
    "performance": "/m/churn/performance",
    "column": "/m/churn/column?name=tenure",
    "incidents": "/incidents?state=all",
}


def make_rows(
    rng: random.Random, begin: datetime, span: timedelta, count: int, change: Callable[..., None]
) -> Iterator[str]:
    """Yield records of customers; `change` may alter each."""
    for place in range(count):
        at = begin + span * place / count
        row: dict[str, Any] = {
            "t": at.isoformat(),
            "id": f"{at.timestamp()}-{place}",
            "version": "v1",
            "tenure": max(rng.gauss(30, 9), 0.0),
            "monthly_fee": rng.gauss(40, 12),
            "plan": rng.choice(["basic", "basic", "family", "premium"]),
        }
        risk = min(max(0.75 - row["tenure"] / 60 + rng.gauss(0, 0.06), 0.02), 0.98)
        row["score"], row["churned"] = round(risk, 4), int(rng.random() < risk)
        change(row, at)
        yield json.dumps(row)


def changes(name: str, rng: random.Random) -> Callable[[dict[str, Any], datetime], None]:
    """Return what happens to the records of a model."""

    def change(row: dict[str, Any], at: datetime) -> None:
        day = (at - BEGIN) / timedelta(days=1)
        if name == "churn" and day >= 9:
            row["version"] = "v2"
        if name == "churn" and day >= 11:
            row["tenure"] = max(row["tenure"] - 14, 0.0)
            row["churned"] = int(rng.random() < 0.35)
        if name == "pricing" and 5 <= day < 7 and rng.random() < 0.6:
            row["plan"] = None

    return change


def prepare(folder: Path) -> None:
    """Write references and configuration."""
    models = {}
    for name in NAMES:
        rng = random.Random(name)
        (folder / name).mkdir()
        before = timedelta(days=14)
        reference = make_rows(rng, BEGIN - before, before, 4_000, lambda row, at: None)
        (folder / f"{name}-reference.jsonl").write_text("\n".join(reference) + "\n")
        models[name] = MODEL.format(folder=folder, name=name)
    text = CONFIG.format(folder=folder, model="MODEL")
    for name, model in models.items():
        text = text.replace(f"  {name}: MODEL", f"  {name}:{model.rstrip()}")
    (folder / "driftline.yaml").write_text(text)


def write_log(folder: Path, name: str, place: int) -> None:
    """Write the log of one window of a model."""
    rng = random.Random(f"{name} {place}")
    rows = make_rows(rng, BEGIN + place * STEP, STEP, ROWS, changes(name, rng))
    (folder / name / f"{place:03}.jsonl").write_text("\n".join(rows) + "\n")


def take_pictures(browser: Browser, address: str, agent: Agent, folder: Path) -> None:
    """Show each page wide and on a phone, in light and in dark; and the report."""
    for name, path in SHOTS.items():
        for width, height in ((1440, 1100), (360, 780)):
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=scheme
                )
                page.goto(f"http://{address}{path}", wait_until="networkidle")
                page.wait_for_timeout(1_500)
                page.screenshot(path=folder / f"page-{name}-{width}-{scheme}.png")
                page.close()
    load_report(agent.model_views, "churn").save(folder / "report.png")


def take_incident(
    browser: Browser, agent: Agent, clock: Callable[[], datetime], path: Path
) -> None:
    """Show the page of the open incident to somebody who may act."""
    row = agent.incident_service.list_incidents()[0]
    token, act = Secret("", "reader"), Secret("", "act")
    server = serve(create_app(agent, token, act, clock=clock), "127.0.0.1", 0)
    query = sign_query(act.reveal(), row["id"], OPEN, expiry(clock()))
    page = browser.new_page(viewport={"width": 800, "height": 1000})
    page.goto(f"http://{server.address}/i/{row['id']}?{query}", wait_until="networkidle")
    page.screenshot(path=path, full_page=True)
    page.close()
    server.stop()


def main() -> None:
    """Run the agent over the days, then show its pages."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder)
        now = BEGIN

        def clock() -> datetime:
            return now

        log = make_log(io.StringIO(), human=False)
        with open_agent(
            read_config(folder / "driftline.yaml"),
            clock=clock,
            log=log,
            console=io.StringIO(),
            once=True,
        ) as agent:
            for place in range(DAYS * 4):
                for name in NAMES:
                    write_log(folder, name, place)
                if place >= FIRST:
                    now = BEGIN + (place + 1) * STEP + timedelta(minutes=30)
                    for name in NAMES:
                        agent.tick(name)
            server = serve(create_app(agent, None, None, clock=clock), "127.0.0.1", 0)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"),
                    args=["--no-sandbox", "--disable-background-networking"],
                )
                take_pictures(browser, server.address, agent, target)
                take_incident(browser, agent, clock, target / "incident-page.png")
                browser.close()
            server.stop()


if __name__ == "__main__":
    main()
