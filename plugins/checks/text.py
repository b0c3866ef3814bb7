"""Measures unknown words and repeated texts.

Does not interpret texts. The drift check covers lengths, script and single words, as `NAME.words`,
`NAME.script`, `NAME.word`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from driftline import (
    CategoricalColumn,
    Check,
    CheckContext,
    Kind,
    Measurement,
    Window,
    above,
    hookimpl,
    stats,
)

KNOWN = 10_000
"""Categories that every window counts by name."""


class Text(Check):
    """Measures new words and repeated texts, compared with the reference.

    Both numbers are differences to the reference (0.05 is five points more), with Newcombe's
    interval.

    unknown_words is the share of words outside the reference's vocabulary, at least 0. One word of
    each text is taken. The vocabulary holds the words that every window counts by name: the most
    frequent ones, 10,000 at most. The reference's own share treats a word as unknown when the
    vocabulary would lack it without that row. repeated_texts is the share of texts that equal
    another one character by character, among equally many sampled rows of both sides (500 at most).

    | input | answer |
    | --- | --- |
    | no text in the schema | nothing |
    | no reference, or no words on a side | no value, with the reason |
    | a redacted column | no words in the detail; no repeated_texts, as its texts are not kept |
    | the same on both sides | 0 |
    | all texts alike on both sides | 0 |
    | empty texts, texts of white space, nulls | left out |
    """

    type = "text"
    collectors = frozenset({"categories", "raw_sample"})
    cause = "drift"
    main = "unknown_words"
    default_rules: ClassVar = {
        "unknown_words": above(warning=0.05),
        "repeated_texts": above(warning=0.05),
    }
    min_rows = 100
    default_for: ClassVar = frozenset({"text"})
    default_place = 110

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield two measurements for each text column."""
        for name, part in ctx.schema.features.items():
            if part.kind is Kind.TEXT:
                show_words = name not in ctx.schema.redact
                yield _unknown(
                    name,
                    _words(ctx.reference, name),
                    _words(ctx.current, name),
                    show_words=show_words,
                )
                yield _repeat_measurement(
                    name,
                    _hashes(ctx.reference, name),
                    _hashes(ctx.current, name),
                    has_hashes=show_words,
                )


def _words(window: Window | None, name: str) -> CategoricalColumn | None:
    """Return the column of single words; None when it has no values."""
    column = window.columns.get(f"{name}.word") if window else None
    return column if isinstance(column, CategoricalColumn) and column.count else None


def _hashes(window: Window | None, name: str) -> Sequence[int]:
    """Return the hashes of the sampled texts, in the order of the hashes of their rows."""
    return (
        [
            value
            for value in window.summaries.get("raw_sample", {}).get(name, ())
            if value is not None
        ]
        if window
        else ()
    )


def _unknown(
    name: str, ref: CategoricalColumn | None, cur: CategoricalColumn | None, *, show_words: bool
) -> Measurement:
    if ref is None or cur is None:
        reason = f"no words in the {'reference' if ref is None else 'window'}"
        return Measurement(
            None,
            {"column": name},
            name="unknown_words",
            rows=cur.count if cur else 0,
            reason=reason,
        )
    counts = list(ref.counts.values())
    often = counts[KNOWN] + 1 if len(counts) > KNOWN else 1
    new_words = {
        word: count for word, count in cur.counts.items() if ref.counts.get(word, 0) < often
    }
    x, x_was = (
        sum(new_words.values()) + cur.other,
        ref.count - sum(count for count in counts if count > often),
    )
    comparison = _compare_shares(name, "unknown_words", (x, cur.count), (x_was, ref.count))
    detail = dict(comparison.detail) | (
        {"words": ", ".join(list(new_words)[:5])} if show_words and new_words else {}
    )
    low, high = comparison.interval or (0.0, 0.0)
    return replace(
        comparison,
        value=max(0.0, comparison.value or 0.0),
        interval=(max(0.0, low), max(0.0, high)),
        detail=detail,
    )


def _repeat_measurement(
    name: str, ref: Sequence[int], cur: Sequence[int], *, has_hashes: bool
) -> Measurement:
    rows = min(len(ref), len(cur))
    if not rows:
        reason = (
            f"no texts in the sample of the {'window' if ref else 'reference'}"
            if has_hashes
            else "its texts are not kept"
        )
        return Measurement(
            None,
            {"column": name},
            name="repeated_texts",
            rows=0,
            reason=reason,
        )
    again, again_was = (rows - len(set(side[:rows])) for side in (cur, ref))
    return _compare_shares(name, "repeated_texts", (again, rows), (again_was, rows))


def _compare_shares(
    name: str, measurement_name: str, cur: tuple[int, int], ref: tuple[int, int]
) -> Measurement:
    """Return how much larger a share is than in the reference; a side is (rows, all rows)."""
    share, share_was = cur[0] / cur[1], ref[0] / ref[1]
    interval = (0.0, 0.0) if cur == ref else stats.newcombe(*cur, *ref)
    detail = {"share": share, "share_was": share_was}
    return Measurement(
        share - share_was,
        {"column": name},
        name=measurement_name,
        rows=cur[1],
        interval=interval,
        unit="share",
        detail=detail,
    )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The text check."""
    return [Text]
