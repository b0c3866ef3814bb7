"""The table that `driftline query` prints for people."""

from __future__ import annotations

import pytest

from driftline.catalog.measurement_query import QueryResult
from driftline.catalog.tables import to_table


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("far from the reference; a change if two whole days are, too", "two…"),
        ("x" * 41, "x" * 39 + "…"),
        ("x" * 40, "x" * 40),
    ],
)
def test_a_text_that_is_cut_ends_with_an_ellipsis(reason: str, shown: str) -> None:
    """A reader sees that a text goes on; a text that fits is shown as it is."""
    table = to_table(QueryResult(("reason",), [{"reason": reason}]))
    assert table.splitlines()[1].endswith(shown)
    assert len(table.splitlines()[1]) <= 40
