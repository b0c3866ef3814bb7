"""60 hostile names, as names and values of columns, in every output of a comparison and a query."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from datetime import UTC, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from comparison_tables import make_table
from hostile_names import HOSTILE_NAMES
from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.console import Console

import driftline as dl
from driftline.catalog.measurement_query import QueryResult
from driftline.catalog.tables import WRITERS, OutputForm
from driftline.cli.compare import _show
from driftline.client.arrow_result import ArrowResult
from driftline.comparison.comparison_document import comparison_document
from driftline.documents.sheet import draw_sheet

MORE = ("=1+1", "@everyone", "+1+1", "\t=1+1", "a\x1b[31mb", "a\nb", "[red]x[/red]", "#12 @octocat")
NAMES = (*HOSTILE_NAMES, *MORE)
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\u200b\u202e]")
PLAIN_TAGS = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}


class Page(HTMLParser):
    """The tags and the names of the attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value for name, value in attrs if name in ("href", "src", "action")]


@pytest.fixture(scope="module")
def result() -> dl.Comparison:
    """A comparison whose columns all changed; names and values are hostile, and some numeric."""
    reference: dict[str, list[object]] = {name: ["a", "b"] * 300 for name in NAMES}
    current = {name: [NAMES[place], NAMES[place - 1]] * 300 for place, name in enumerate(NAMES)}
    for name in NAMES[:4]:
        reference[f"{name} n"] = [float(row % 7) for row in range(600)]
        current[f"{name} n"] = [float(row % 7) + 9 for row in range(600)]
    compared = dl.compare(pa.table(reference), pa.table(current))
    # A few look like the number of a row or a time: those are named as not compared.
    columns = [*(row.name for row in compared.changed), *compared.left_out]
    assert sorted(columns) == sorted(reference)
    assert len(compared.changed) >= 60
    return compared


@pytest.fixture(scope="module")
def plain() -> dl.Comparison:
    """A comparison with harmless names."""
    return dl.compare(make_table(1), make_table(3, drift=True))


def test_lines_of_a_terminal(result, monkeypatch):
    """Each column has one line; no character moves the cursor, turns the text, or paints it."""
    lines = str(result).splitlines()
    assert len([line for line in lines if line.startswith("changed")]) == len(result.changed)
    assert not INVISIBLE.search(str(result))
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120, highlight=False)
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    _show(result)
    text = re.sub(r"\x1b\[[0-9;]*m", "", output.getvalue())
    assert not INVISIBLE.search(text)
    assert "[red]x[/red]" in text
    wide = [line for line in text.splitlines() if cell_len(line) > 120]
    assert not wide


def test_json_keeps_the_names(result):
    """Names are data there, and nothing but data."""
    document = json.loads(json.dumps(result.to_dict(), ensure_ascii=True))
    names = {column["name"] for column in document["columns"]} | set(document["left_out"])
    assert names > set(NAMES)


def test_html_and_notebook(result, plain, tmp_path):
    """No tag, no attribute and no address comes from a name."""
    for made, usual in (
        (result._repr_html_(), plain._repr_html_()),
        (_saved(result, tmp_path / "a.html"), _saved(plain, tmp_path / "b.html")),
    ):
        page, expected = Page(made), Page(usual)
        assert page.tags <= expected.tags | {"ul", "li"}  # A list of what to check.
        assert page.attributes <= expected.attributes
        assert not page.addresses
        assert not INVISIBLE.search(made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_the_drawing_of_png_and_pdf(result):
    """It is whole XML of shapes and texts, which follow no address and run nothing."""
    root = ElementTree.fromstring(draw_sheet(comparison_document(result)))
    elements = list(root.iter())
    assert {element.tag.rpartition("}")[2] for element in elements} <= {
        "svg", "rect", "text", "path", "line", "g",
    }  # fmt: skip
    for element in elements:
        for name, value in element.attrib.items():
            assert not name.endswith("href")
            assert not name.startswith("on")
            assert "url(" not in value


@pytest.mark.system
@pytest.mark.slow
def test_png_and_pdf(result, tmp_path):
    """Both are made; the PDF has no link, no script and no form."""
    result.save(tmp_path / "r.png")
    result.save(tmp_path / "r.pdf")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    content = (tmp_path / "r.pdf").read_bytes()
    assert not re.search(rb"/(JavaScript|JS|URI|Launch|AcroForm|EmbeddedFile)\b", content)
    assert len(list(tmp_path.iterdir())) == 2


def test_markdown(result, tmp_path):
    """Rendered, it has headings, paragraphs, lists and tables only, and mentions nobody."""
    text = _saved(result, tmp_path / "r.md")
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    page = Page(rendered)
    assert page.tags <= PLAIN_TAGS
    assert page.attributes <= {"style"}
    assert not re.search(r"(?<![\w&])[@#]\w", re.sub(r"&#?\w+;", "", rendered))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert cells == {5, 3}  # What differs, and what the words mean.


@pytest.mark.parametrize("form", [OutputForm.CSV, OutputForm.TABLE, OutputForm.JSON])
def test_an_answer_of_measurements(form):
    """A query's CSV starts no formula, its table has one line for each row, its JSON the names."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    columns = ("start", "column", "value")
    rows = [dict(zip(columns, (start, name, -1.5), strict=True)) for name in NAMES]
    text = WRITERS[form](QueryResult(columns=columns, rows=rows))
    assert isinstance(text, str)
    if form is OutputForm.CSV:
        cells = [row["column"] for row in csv.DictReader(io.StringIO(text, newline=""))]
        assert [cell for cell in cells if re.match(r"\s*[=+@-](?![0-9]+$)", cell)] == []
        assert [cell.removeprefix("'") for cell in cells] == [n.removeprefix("'") for n in NAMES]
        assert text.count("-1.5") == len(NAMES)
    elif form is OutputForm.TABLE:
        assert len(text.splitlines()) == len(NAMES) + 1
        assert not INVISIBLE.search(text)
    else:
        assert [row["column"] for row in json.loads(text)] == list(NAMES)


def test_tables_of_a_connection():
    """The tables of libraries have the names as they are, and the notebook shows text."""
    rows = ArrowResult(pa.table({"column": NAMES, "value": [1.0] * len(NAMES)}))
    assert rows.to_arrow()["column"].to_pylist() == list(NAMES)
    assert rows.to_pandas()["column"].tolist() == list(NAMES)
    assert rows.to_polars()["column"].to_list() == list(NAMES)
    usual = ArrowResult(pa.table({"column": ["x"] * len(NAMES), "value": [1.0] * len(NAMES)}))
    page, expected = Page(rows._repr_html_()), Page(usual._repr_html_())
    assert page.tags == expected.tags
    assert page.attributes == expected.attributes


@pytest.mark.browser
@pytest.mark.system
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_in_a_browser(result, tmp_path, width):
    """It runs nothing, asks for nothing, and is not wider than the window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    result.save(tmp_path / "report.html")
    requests, messages = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("dialog", lambda dialog: messages.append(dialog.message))
        page.goto((tmp_path / "report.html").as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert len(requests) == 1
    assert not messages
    assert wide <= width


def _saved(result: dl.Comparison, path) -> str:
    result.save(path)
    return path.read_text(encoding="utf-8")
