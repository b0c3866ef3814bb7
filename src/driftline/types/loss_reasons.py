"""Why records or rows of a log are not counted: each reason with its count and first place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

MOST_REASONS = 100
"""Reasons that are kept apart; the others are counted together."""
OTHER_REASONS = "other reasons"
REASONS_SHOWN = 3
LOSS_SHARE = 0.05
"""Share of records, rows or labels; more lost ones than this can't be chance."""
EXAMPLE_LENGTH = 60
"""Characters of an example in a sentence."""


@dataclass(slots=True, kw_only=True)
class LossReason:
    """How often one reason occurred, and where first."""

    count: int
    place: int
    """Ordinal of the first record in the piece of its object that was read, from 1."""
    example: str = ""
    """The value that can't be used; empty where a message should not quote it."""
    uri: str = ""
    """The object of the first record."""
    piece: int = 0
    """The byte of that object from which on it was read."""


@dataclass(slots=True)
class LossReasons:
    """The reasons of one object or of several."""

    reasons: dict[str, LossReason] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All records together."""
        return sum(reason.count for reason in self.reasons.values())

    def add(
        self,
        text: str,
        *,
        count: int,
        place: int,
        example: str = "",
        uri: str = "",
        piece: int = 0,
    ) -> None:
        """Count `count` more records with the reason `text`."""
        if text not in self.reasons and len(self.reasons) >= MOST_REASONS:
            text = OTHER_REASONS
        known = self.reasons.get(text)
        if known is None:
            self.reasons[text] = LossReason(
                count=count, place=place, example=example, uri=uri, piece=piece
            )
        else:
            known.count += count

    def merge(self, other: LossReasons, uri: str = "", piece: int = 0) -> None:
        """Add the reasons of another object, whose URI is `uri`, read from byte `piece` on."""
        for text, reason in other.reasons.items():
            self.add(
                text,
                count=reason.count,
                place=reason.place,
                example=reason.example,
                uri=reason.uri or uri,
                piece=reason.piece or piece,
            )

    def copy(self) -> LossReasons:
        """The same reasons, to be changed apart."""
        return LossReasons({text: replace(reason) for text, reason in self.reasons.items()})

    def most_frequent(self) -> Mapping[str, LossReason]:
        """The most frequent reasons, the most frequent first."""
        ordered = sorted(self.reasons.items(), key=lambda item: -item[1].count)
        return dict(ordered[:REASONS_SHOWN])

    def describe(self, noun: str) -> str:
        """The most frequent reasons with counts and first places, for people; empty for none.

        `noun` is what is counted, such as `record`.
        """
        shown = self.most_frequent()
        sentences = []
        for text, reason in shown.items():
            count = f"{reason.count:,} times, " if len(self.reasons) > 1 else ""
            example = f": {_quote(reason.example)}" if reason.example else ""
            name = reason.uri.rsplit("/", 1)[-1]
            after = f" after byte {reason.piece:,}" if reason.piece else ""
            # The sentence begins with the object of its first reason.
            other = f" of {name}" if reason.uri != self.first_uri else ""
            place = f"{noun} {reason.place:,}{after}{other}"
            sentences.append(f"{text} ({count}first at {place}{example})")
        hidden = len(self.reasons) - len(shown)
        if hidden:
            sentences.append(f"{hidden} more reasons")
        return "; ".join(sentences)

    @property
    def first_uri(self) -> str:
        """The object in which the most frequent reason occurred first; empty when unknown."""
        return next((reason.uri for reason in self.most_frequent().values()), "")

    @property
    def first_name(self) -> str:
        """The name of that object, without its folders."""
        return self.first_uri.rsplit("/", 1)[-1]


def _quote(text: str) -> str:
    short = text if len(text) <= EXAMPLE_LENGTH else f"{text[:EXAMPLE_LENGTH]}…"
    return f'"{short}"'
