"""In a notebook a comparison shows itself: three lines give a table and charts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from comparison_tables import make_table

nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
import nbformat  # noqa: E402  (comes with nbclient)

READS = {
    "pandas": "import driftline as dl, pandas; read = pandas.read_parquet",
    "polars": "import driftline as dl, polars; read = polars.read_parquet",
    "pyarrow": "import driftline as dl, pyarrow.parquet; read = pyarrow.parquet.read_table",
    "duckdb": "import driftline as dl, duckdb; read = duckdb.read_parquet",
}
LINES = """
reference, current = read("reference.parquet"), read("current.parquet")
dl.compare(reference, current)
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> dict[str, dict[str, Any]]:
    """What the cell of each library shows in one fresh kernel, by type."""
    folder: Path = tmp_path_factory.mktemp("notebook")
    pq.write_table(make_table(1), folder / "reference.parquet")
    pq.write_table(make_table(3, drift=True), folder / "current.parquet")
    kernel = folder / "jupyter" / "kernels" / "driftline" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": command, "display_name": "driftline", "language": "py"}))
    cells = [nbformat.v4.new_code_cell(start + LINES) for start in READS.values()]
    cells.append(nbformat.v4.new_code_cell("dl.profile(reference)"))
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        client = nbclient.NotebookClient(
            notebook,
            timeout=120,
            startup_timeout=120,
            kernel_name="driftline",
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute()
    shown = [cell.outputs[-1]["data"] for cell in notebook.cells]
    return dict(zip([*READS, "profile"], shown, strict=True))


@pytest.mark.parametrize("library", READS)
def test_three_lines_show_a_chart(outputs, library):
    """The last of three lines shows a table and a chart of each changed column, without scripts."""
    html = outputs[library]["text/html"]
    assert html.count("<svg") == 2
    assert "2 of 6 columns changed" in html
    assert "<script" not in html
    assert html == outputs["pyarrow"]["text/html"]


def test_a_profile_shows_a_picture_of_each_column(outputs):
    """A profile as the last line shows its columns with their shapes."""
    assert outputs["profile"]["text/html"].count("<svg") == 6


def test_plain_text_has_the_headline(outputs):
    """A terminal shows the text of the comparison."""
    assert "columns changed" in outputs["pandas"]["text/plain"]
