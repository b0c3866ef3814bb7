"""The page of a model in detail: its columns, its versions side by side, quantiles of a column."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from page_client import open_pages
from station import MODEL, START, Station

pytestmark = pytest.mark.system

VERSIONED = (
    MODEL.replace("      id: id\n", "      id: id\n      version: version\n")
    .replace(
        "features: {{amount: numeric, plan: categorical}}",
        "features: {{amount: numeric, plan: categorical}}\n"
        "      prediction: {{kind: binary, score: s}}\n      label: {{column: y}}",
    )
    .replace("      volume:", "      right: {{type: performance}}\n      volume:")
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Two versions after each other; the amounts of the second are higher by 30."""
    station = Station(tmp_path_factory.mktemp("versions"), VERSIONED)

    def labelled(version):
        return {
            "version": version,
            "s": lambda row: min(max(row["amount"] / 100, 0.0), 1.0),
            "y": lambda row: int(station.rng.random() < row["amount"] / 100),
        }

    station.write(
        "reference.jsonl", START - timedelta(days=1), timedelta(days=1), 2000, **labelled("v1")
    )
    for hour in range(6):
        moved = {"amount": lambda row: row["amount"] + 30} if hour >= 3 else {}
        station.hour(hour, 200, **moved, **labelled("v2" if hour >= 3 else "v1"))
    station.clock.now = START + timedelta(hours=6, minutes=20)
    with station.open():
        station.tick()
        with open_pages(station) as client:
            yield client


def cells(page, row):
    """The cells of the row that begins with a text."""
    [found] = re.findall(rf'<tr><th scope="row">{row}</th>(.*?)</tr>', page)
    return [re.sub("<[^>]*>", "", cell).strip() for cell in re.findall("<td.*?</td>", found)]


def test_versions_stand_side_by_side(client):
    """The newest first, each with its rows, its times and its metrics."""
    page = client.get("/m/shop").text
    assert re.search('<th scope="col">v2</th><th scope="col">v1</th>', page)
    assert cells(page, "rows") == ["600", "600"]
    assert cells(page, "first window") == ["2026-05-01 03:00 UTC", "2026-05-01 00:00 UTC"]
    new, old = (float(cell.split()[0]) for cell in cells(page, "accuracy"))
    assert 0 < old < 1
    assert 0 < new < 1


def test_columns_are_ranked_by_their_change(client):
    """The one that changed is the first, and says how many of its numbers changed."""
    page = client.get("/m/shop").text
    table = page.partition("Columns, what changed most first")[2].partition("</table>")[0]
    names = re.findall(r"column\?name=(\w+)", table)
    assert names[0] == "amount"
    assert set(names) == {"amount", "plan", "s"}
    assert "1 of 1 judged" in table


def test_a_column_of_numbers_has_its_quantiles_beside_those_of_the_reference(client):
    """Each moved by what was added to all values."""
    page = client.get("/m/shop/column", params={"name": "amount"}).text
    before, now, shift = cells(page, "50%")
    assert float(now) - float(before) == pytest.approx(30, abs=3)
    assert float(shift.removeprefix("+")) == pytest.approx(float(now) - float(before), abs=0.1)
    assert "Quantiles" not in client.get("/m/shop/column", params={"name": "plan"}).text
