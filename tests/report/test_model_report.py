"""The report of a model: it shows the numbers of the API, in five forms, each one file."""

from __future__ import annotations

import json
import math
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from hostile_names import HOSTILE_NAMES
from page_client import open_pages
from PIL import Image
from station import MODEL, START, Station

from driftline.agent.series_groups import format_value
from driftline.charts.distribution_chart import distribution_specification
from driftline.charts.series_chart import series_specification
from driftline.charts.series_points import SeriesLine, SeriesPoint
from driftline.cli.report import report
from driftline.documents.document import Figure, ReportDocument, Section, Table
from driftline.documents.html_file import write_html
from driftline.documents.markdown_file import escape_markdown, write_markdown
from driftline.documents.save import file_name, save_document
from driftline.documents.sheet import draw_sheet
from driftline.report.model_report import load_report
from driftline.types.errors import DriftlineError

pytestmark = pytest.mark.system


class Page(HTMLParser):
    """The tags of a page, its attributes, and all its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """A model whose column `amount` moved in the third hour."""
    station = Station(tmp_path_factory.mktemp("report"))
    for hour in range(6):
        moved = {"amount": lambda row: row["amount"] + 30} if hour >= 2 else {}
        station.hour(hour, 150, **moved)
    station.clock.now = START + timedelta(hours=6, minutes=20)
    with station.open():
        station.tick()
        yield station


def call(station, *arguments):
    return CliRunner().invoke(
        report, ["shop", "-c", str(station.config), *map(str, arguments)], standalone_mode=False
    )


def test_the_numbers_of_the_report_are_those_of_the_api(station, tmp_path):
    """Each value, interval and verdict of the newest window; the page shows the same ones."""
    answer = call(station, "--json")
    assert answer.exception is None
    records = json.loads(answer.output)
    with open_pages(station) as client:
        series = client.get("/api/models/shop").json()["series"]
    newest = [
        next(
            (value for value in reversed(item["values"]) if value["value"] is not None),
            item["values"][-1],
        )
        for item in series
    ]
    keys = ("check", "value", "low", "high", "unit", "rows", "verdict", "severity", "reason")
    assert [[item[key] for key in keys] for item in records["measurements"]] == [
        [item[key] for key in keys] for item in newest
    ]
    assert [item["reference"] for item in records["measurements"]] == [
        item["was"] for item in newest
    ]
    page = Page(write_html(load_report(station.agent.model_views, "shop").document()))
    assert records["headline"] in page.text
    for item in newest:
        if item["value"] is not None:
            assert format_value(item["value"], item["unit"]) in page.text


def test_each_form_is_one_file(station, tmp_path):
    """HTML without scripts and addresses, PNG and PDF that open, JSON and Markdown as text."""
    paths = [tmp_path / f"r.{end}" for end in ("html", "pdf", "png", "json", "md")]
    answer = call(station, *[part for path in paths for part in ("--to", path)])
    assert answer.exception is None
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert all(path.stat().st_size < 2_000_000 for path in paths)
    page = Page(paths[0].read_text(encoding="utf-8"))
    assert not {"script", "img", "link", "iframe", "a", "image"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href", "onload")]
    assert page.tags.count("svg") >= 2
    assert paths[1].read_bytes().startswith(b"%PDF-")
    assert Image.open(paths[2]).size[0] == 1500
    assert json.loads(paths[3].read_text())["model"] == "shop"
    assert "| What | Value |" in paths[4].read_text()


def test_a_window_is_named_by_a_time_in_it(station, tmp_path):
    """Before the change nothing changed; after the last window there is no report."""
    answer = call(station, "--json", "--window", "2026-05-01T01:30")
    window = json.loads(answer.output)["window"]
    assert window["start"] == "2026-05-01T01:00:00+00:00"
    assert json.loads(answer.output)["headline"].startswith("0 of ")
    answer = call(station, "--json", "--window", "2027-01-01")
    assert "no window has been read at 2027-01-01" in str(answer.exception)


def test_a_folder_gets_a_file_of_the_model_and_the_window(station, tmp_path):
    """The command says where the file is."""
    answer = call(station, "--to", tmp_path)
    [path] = tmp_path.iterdir()
    assert path.name == "report-shop-2026-05-01T0500Z.html"
    assert str(path) in answer.output


@pytest.mark.parametrize("name", ["r.gif", "r", "r.htmlx"])
def test_another_end_of_the_name_is_an_error(station, tmp_path, name):
    """It names the forms, and nothing is written."""
    answer = call(station, "--to", tmp_path / name)
    assert "should end in one of .html, .pdf, .png, .json, .md" in str(answer.exception)
    assert not list(tmp_path.iterdir())


def test_an_unknown_model_is_an_error_that_names_the_known_ones(station):
    """For the command and for programs."""
    answer = CliRunner().invoke(report, ["x", "-c", str(station.config)], standalone_mode=False)
    assert "models are: shop" in str(answer.exception)
    with pytest.raises(DriftlineError, match="models are: shop"):
        load_report(station.agent.model_views, "x")


def test_an_unknown_segment_is_an_error_that_names_the_nearest(tmp_path):
    """The report of no rows would only look like a quiet model."""
    model = MODEL.replace("features:", "segments: [plan]\n      features:")
    station = Station(tmp_path, model)
    station.hour(0, 150)
    station.clock.now = START + timedelta(hours=1, minutes=20)
    with station.open():
        station.tick()
        words = ["shop", "--json", "-c", str(station.config), "--segment"]
        answer = CliRunner().invoke(report, [*words, "paln=a"], standalone_mode=False)
        assert "no segment 'paln=a'; did you mean 'plan=a'?" in str(answer.exception)
        answer = CliRunner().invoke(report, [*words, "plan=a"], standalone_mode=False)
        assert answer.exception is None


def hostile_document(name):
    """A report in which every text is this name."""
    chart = distribution_specification(
        [(name, 0.5, 0.4), (name, 0.5, 0.6)], is_numeric=False, description=name, width=200
    )
    table = Table(head=(name, name), rows=[(name, name)])
    figure = Figure(title=name, text=name, specification=chart, table=table)
    section = Section(title=name, text=name, table=table, figures=[figure])
    return ReportDocument(title=name, subject=name, lines=[name], sections=[section])


@pytest.mark.parametrize(
    "name",
    [*HOSTILE_NAMES[:4], *(pytest.param(n, marks=pytest.mark.slow) for n in HOSTILE_NAMES[4:])],
)
def test_a_hostile_name_is_text_in_every_form(name):
    """No tag, no attribute and no line of a form comes from a name."""
    plain, found = (Page(write_html(hostile_document(text))) for text in ("name", name))
    assert found.tags == plain.tags
    assert [key for key, _ in found.attributes] == [key for key, _ in plain.attributes]
    lines = [write_markdown(hostile_document(text)).splitlines() for text in ("name", name)]
    assert len(lines[0]) == len(lines[1])
    sheet = draw_sheet(hostile_document(name))
    assert set(Page(sheet).tags) <= {"svg", "rect", "text", "path", "line", "g"}


@pytest.mark.parametrize(
    "text",
    ["@everyone", "#12", "[x](http://evil)", "https://evil", "a|b", "`x`", "<b>", "$x$", "- x"],
)
def test_no_text_is_markdown(text):
    """A mention, a link, a cell, code, a tag, a formula or a list."""
    escaped = escape_markdown(text)
    for part in ("@e", "#1", "](", "s://"):
        assert part not in escaped
    assert not re.search(r"(?<!\\)[<|`$\[-]", escaped)
    assert escaped.replace("\\", "").replace("\u200b", "") == text


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_the_name_of_a_file_stays_in_its_folder(name):
    """No part of a path and no end of a name comes from a model."""
    assert file_name(name).replace("-", "").replace("_", "").isalnum() or file_name(name) == "-1"
    assert len(file_name(name)) <= 80


@pytest.mark.slow
@pytest.mark.parametrize("end", ["html", "png", "pdf", "md"])
def test_the_largest_report_stays_small(tmp_path, end):
    """500 rows and 24 charts, each of a series of a year of hours."""
    values = [math.sin(place * place) for place in range(8_760)]
    points = [
        SeriesPoint(
            start=place * 3_600_000_000,
            value=value,
            low=value - 1,
            high=value + 1,
            severity="warning" if place % 3 == 0 else "",
        )
        for place, value in enumerate(values)
    ]
    line = SeriesLine(name="x", points=points, usual=0.0)
    row = ("some column category share", "0.123 sd", "0.1 to 0.2", "0.3", "changed", "critical")
    table = Table(head=tuple("abcdef"), rows=[row] * 500)
    figure = Figure(
        title="column",
        text="newest 4.72",
        specification=series_specification(line, width=430, most=300),
        table=Table(head=tuple("abcdef"), rows=[row] * 24),
    )
    sections = [Section(title="s", table=table), Section(title="f", figures=[figure] * 24)]
    document = ReportDocument(title="t", subject="s", sections=sections)
    path = tmp_path / f"r.{end}"
    save_document(path, lambda: document, dict)
    assert path.stat().st_size < 2_000_000
