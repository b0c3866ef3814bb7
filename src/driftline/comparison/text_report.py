"""A comparison as plain text: one line for each column that is not `ok`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from driftline.comparison.records import NO_PAST, ColumnComparison, ComparisonRecords
from driftline.types.model import Verdict
from driftline.types.phrasing import clean, count, number

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


@dataclass(frozen=True, slots=True)
class RecordGroup:
    """The records of one table of a report: those that are not `ok`, changes first."""

    title: str
    head: str
    """What its first column names."""
    rows: list[ColumnComparison]


def record_groups(comparison: ComparisonRecords) -> list[RecordGroup]:
    """Return what a person reads, by what it is about; groups without records are left out."""
    groups = [
        RecordGroup(f"{title}, the largest difference first", head, _not_ok(rows))
        for title, head, rows in (
            ("The model", "Metric", comparison.model),
            ("Columns that differ", "Column", comparison.columns),
            ("Within groups of rows", "What", comparison.segments),
        )
    ]
    return [group for group in groups if group.rows]


def largest_changes(comparison: ComparisonRecords) -> list[str]:
    """Return a sentence that names the metric, and the column, that changed most."""
    return [
        f"{kind} that changed most: {clean(row.name, MOST_NAME)} (size {size_text(row)}): "
        f"{row.text.split(' · ', 1)[0]}"
        for kind, rows in (("Metric", comparison.model), ("Column", comparison.columns))
        for row in [row for row in rows if row.verdict == Verdict.CHANGED][:1]
        if row.size
    ]


def size_text(row: ColumnComparison) -> str:
    """Return the size of a difference: `1.8 ×`; empty where there is none."""
    return f"{number(float(f'{row.size:.2g}'))} ×" if row.size else ""


def reading_guide(comparison: ComparisonRecords) -> list[tuple[str, str]]:
    """Return words of a report, each with what it means: how sure, how much, and the numbers."""
    words = [
        ("changed", "The difference is larger than the limit, and so is all of its 95% interval."),
        (
            "unsure",
            "There is a difference that is not surely beyond the limit; without a past nobody can "
            "say whether it is usual. Or there are too few rows.",
        ),
        ("ok", "No difference that counts."),
        (
            "a → b",
            "The number in the reference, then in the current table.",
        ),
        (
            "[95% sure: a to b]",
            "How sure: with 95% confidence the true number lies from a to b. Narrow is sure.",
        ),
        ("limit", "The smallest difference that counts as a change, whatever the past was."),
        (
            "Size",
            "The largest difference as a multiple of its limit: 2 × is twice the limit. Distances "
            "such as PSI count by their square roots.",
        ),
        ("sd", "Standard deviations of the reference."),
    ]
    return [*words, *comparison.terms.items()]


def _not_ok(rows: Iterable[ColumnComparison]) -> list[ColumnComparison]:
    return sorted(
        (row for row in rows if row.verdict != Verdict.OK),
        key=lambda row: row.verdict != Verdict.CHANGED,
    )


def shown_records(comparison: ComparisonRecords) -> list[ColumnComparison]:
    """Return the records that a person reads: all that are not `ok`, the most important first."""
    return _not_ok((*comparison.model, *comparison.columns, *comparison.segments))


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
