"""The report of a comparison as picture, PDF and Markdown."""

from __future__ import annotations

import io

import pytest
from comparison_tables import make_table
from PIL import Image

import driftline

pytestmark = pytest.mark.system


def test_a_comparison_is_saved_in_the_form_that_the_name_says(tmp_path):
    """Each form is one file; the text has what changed."""
    result = driftline.compare(make_table(1), make_table(3, drift=True))
    for end in ("png", "pdf", "md", "json", "html"):
        result.save(tmp_path / f"r.{end}")
    assert Image.open(io.BytesIO((tmp_path / "r.png").read_bytes())).size[0] == 1500
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF-")
    text = (tmp_path / "r.md").read_text()
    assert text.startswith(f"# {result.headline}")
    for record in result.changed:
        assert record.name in text.replace("\\", "")
    assert len(list(tmp_path.iterdir())) == 5
