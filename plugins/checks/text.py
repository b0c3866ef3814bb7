"""Texts: how many words the reference doesn't know, and how many texts are sent again and again.

Refuses to say what texts mean, and what simpler columns say: lengths, script and single words are
the drift check's, as `NAME.words`, `NAME.script`, `NAME.word`.
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
    """What is new in texts, and what repeats, each less what the reference lets expect, with
    Newcombe's interval.

    unknown_words is the share of words outside the reference's vocabulary, one word of each text
    being looked at; at least 0. The vocabulary are the words that every window counts by name,
    10,000 at most, the most frequent ones. To be fair, a word of the reference counts as unknown to
    it where it would be without its own row. repeated_texts is the share of texts that repeat
    another one sign by sign, among equally many sampled rows of both sides (500 at most). 0.05 is
    five points more than in the reference.

    | input | answer |
    | --- | --- |
    | no text in the schema | nothing |
    | no reference, or no words on a side | no value, with the reason |
    | a redacted column | unknown_words without the words; repeated_texts without value, as its texts are not kept |
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
        """Two measurements for each column of texts."""
        for name, part in ctx.schema.features.items():
            if part.kind is Kind.TEXT:
                shown = name not in ctx.schema.redact
                yield _unknown(
                    name, _words(ctx.reference, name), _words(ctx.current, name), shown=shown
                )
                yield _repeated(
                    name, _hashes(ctx.reference, name), _hashes(ctx.current, name), kept=shown
                )


def _words(window: Window | None, name: str) -> CategoricalColumn | None:
    """The column of single words, where it has any."""
    found = window.columns.get(f"{name}.word") if window else None
    return found if isinstance(found, CategoricalColumn) and found.count else None


def _hashes(window: Window | None, name: str) -> Sequence[int]:
    """Of the sampled texts, in the order of their rows' hashes."""
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
    name: str, was: CategoricalColumn | None, now: CategoricalColumn | None, *, shown: bool
) -> Measurement:
    if was is None or now is None:
        why = f"no words in the {'reference' if was is None else 'window'}"
        return Measurement(
            None, {"column": name}, "unknown_words", now.count if now else 0, reason=why
        )
    counts = list(was.counts.values())
    often = counts[KNOWN] + 1 if len(counts) > KNOWN else 1
    news = {word: count for word, count in now.counts.items() if was.counts.get(word, 0) < often}
    x, x_was = (
        sum(news.values()) + now.other,
        was.count - sum(count for count in counts if count > often),
    )
    found = _compared(name, "unknown_words", (x, now.count), (x_was, was.count))
    detail = dict(found.detail) | ({"words": ", ".join(list(news)[:5])} if shown and news else {})
    low, high = found.interval or (0.0, 0.0)
    return replace(
        found,
        value=max(0.0, found.value or 0.0),
        interval=(max(0.0, low), max(0.0, high)),
        detail=detail,
    )


def _repeated(name: str, was: Sequence[int], now: Sequence[int], *, kept: bool) -> Measurement:
    rows = min(len(was), len(now))
    if not rows:
        why = (
            f"no texts in the sample of the {'window' if was else 'reference'}"
            if kept
            else "its texts are not kept"
        )
        return Measurement(None, {"column": name}, "repeated_texts", 0, reason=why)
    again, again_was = (rows - len(set(side[:rows])) for side in (now, was))
    return _compared(name, "repeated_texts", (again, rows), (again_was, rows))


def _compared(name: str, what: str, now: tuple[int, int], was: tuple[int, int]) -> Measurement:
    """How much larger a share is: (x, n) on both sides."""
    share, share_was = now[0] / now[1], was[0] / was[1]
    interval = (0.0, 0.0) if now == was else stats.newcombe(*now, *was)
    detail = {"share": share, "share_was": share_was}
    return Measurement(
        share - share_was, {"column": name}, what, now[1], interval, unit="share", detail=detail
    )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The check of texts."""
    return [Text]
