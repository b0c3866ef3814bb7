"""A comparison as plain text: one line for each column that is not `ok`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from driftline.comparison.records import NO_PAST, ColumnComparison, ComparisonRecords
from driftline.types.model import Verdict
from driftline.types.phrasing import clean, count

MOST_NAMES = 30
"""Names that a list of columns shows."""
MOST_NAME = 60
"""Characters of a name."""


def report_text(comparison: ComparisonRecords) -> str:
    """Return the result as lines of plain text, without control characters."""
    rows = shown_records(comparison)
    width = min(max((len(clean(row.name, MOST_NAME)) for row in rows), default=0), 40)
    lines = [*heading(comparison), ""]
    lines += [
        f"{row.verdict:<8} {clean(row.name, MOST_NAME):<{width}}  {clean(row.text, 600)}".rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *other_lines(comparison)])


def heading(comparison: ComparisonRecords) -> Iterator[str]:
    """Yield what was compared, the result in one sentence, and what the verdicts rest on."""
    yield (
        f"{clean(comparison.reference, 200)} ({count(comparison.reference_rows, 'row')}) → "
        f"{clean(comparison.current, 200)} ({count(comparison.current_rows, 'row')})"
    )
    yield comparison.headline
    yield NO_PAST


def shown_records(comparison: ComparisonRecords) -> list[ColumnComparison]:
    """Return the records that a person reads: all that are not `ok`, the most important first."""
    rows = (*comparison.model, *comparison.columns, *comparison.segments)
    order = {Verdict.CHANGED: 0}
    return sorted(
        (row for row in rows if row.verdict != Verdict.OK),
        key=lambda row: order.get(Verdict(row.verdict), 1),
    )


def other_lines(comparison: ComparisonRecords) -> Iterator[str]:
    """Yield what is left: columns that are `ok`, on one side only, or not compared; and notes."""
    same = [row.name for row in comparison.columns if row.verdict == Verdict.OK]
    for label, names in (
        ("ok", same),
        ("removed", comparison.removed),
        ("added", comparison.added),
        ("not compared", comparison.left_out),
    ):
        if names:
            yield f"{label}: {name_list(names)}"
    for note in comparison.notes:
        yield f"please check: {clean(note, 600)}"


def name_list(names: Iterable[str]) -> str:
    """Return names of columns in one line."""
    all_names = [clean(name, MOST_NAME) for name in names]
    more = len(all_names) - MOST_NAMES
    return ", ".join(all_names[:MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")
