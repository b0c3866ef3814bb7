"""The result of a comparison, which can write itself as text, HTML and JSON."""

from __future__ import annotations

import json
from pathlib import Path

from driftline.comparison.html_report import report_page, report_part
from driftline.comparison.records import ComparisonRecords
from driftline.comparison.text_report import report_text


class Comparison(ComparisonRecords):
    """Two tables compared. In a notebook it shows itself."""

    def save(self, path: str | Path) -> None:
        """Write the report to `path`: JSON, Markdown, PNG or PDF by the end of its name, else HTML.

        Raises OSError where the file can't be written.
        """
        path = Path(path)
        if path.suffix in (".png", ".pdf", ".md"):
            from driftline.comparison.comparison_document import comparison_document
            from driftline.documents.save import save_document

            save_document(path, lambda: comparison_document(self), self.to_dict)
            return
        if path.suffix == ".json":
            text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2)
        else:
            text = report_page(self)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")

    def _repr_html_(self) -> str:
        """Return the report as a part of a page, for notebooks."""
        return report_part(self)

    def __repr__(self) -> str:
        """Return the text that a person reads at a prompt."""
        return report_text(self)

    def __str__(self) -> str:
        """Return the headline and one line for each column that is not `ok`."""
        return report_text(self)
