"""A table of an answer: an Arrow stream itself, and a table in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from driftline.types.phrasing import clean, count

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

SHOWN_ROWS = 20


class ArrowResult:
    """Rows with named columns. Every library that reads Arrow streams takes it as it is."""

    def __init__(self, table: pa.Table) -> None:
        """Hold a table."""
        self._table = table

    def to_arrow(self) -> pa.Table:
        """Return a table of pyarrow."""
        return self._table

    def to_pandas(self) -> pandas.DataFrame:
        """Return a frame of pandas, which has to be installed."""
        return self._table.to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Return a frame of polars, which has to be installed."""
        import polars

        frame = polars.from_arrow(self._table)
        assert isinstance(frame, polars.DataFrame)
        return frame

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary a row."""
        rows: list[dict[str, Any]] = self._table.to_pylist()
        return rows

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._table.column_names)

    def __len__(self) -> int:
        """The number of rows."""
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each row as a dictionary."""
        return iter(self.to_dicts())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the rows over to another library."""
        return self._table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        """Return the number of rows and the columns."""
        return f"<{count(len(self), 'row')}: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        """Return the first rows as a table, for notebooks."""
        head = self._table.slice(0, SHOWN_ROWS).to_pylist()
        names = "".join(f'<th scope="col">{escape(clean(name, 80))}</th>' for name in self.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row.values()) + "</tr>"
            for row in head
        )
        more = f"<p>{count(len(self), 'row')} in all</p>" if len(self) > len(head) else ""
        return f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return escape(f"{value:.6g}" if isinstance(value, float) else clean(value, 120))
