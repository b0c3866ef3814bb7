"""Counts the records of a reference that are not in it, with their reasons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from driftline.ingest.read.decoding import Decoding
from driftline.types.loss_reasons import LossReasons

MOST_OBJECTS = 3
"""Objects that can't be decoded that a sentence names."""
MOST_STORED = 1000
"""Objects that can't be decoded that are stored."""
Plain = dict[str, Any]


@dataclass(slots=True)
class ReferenceLosses:
    """What a reference leaves out: records that can't be used, and whole objects."""

    rows: int = 0
    """Rows that are in the reference."""
    reasons: LossReasons = field(default_factory=LossReasons)
    unfinished: LossReasons = field(default_factory=LossReasons)
    """Last records that may still be written: they are no losses where other rows are there."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Why whole objects can't be decoded, by URI."""

    @property
    def records(self) -> int:
        """Records that are left out."""
        return self.reasons.total

    def add_object(self, uri: str, decoding: Decoding, error: str = "") -> None:
        """Add what the decoding of one object left out."""
        self.reasons.merge(decoding.reasons, uri)
        if decoding.unfinished is not None:
            place, reason, _, example = decoding.unfinished
            self.unfinished.add(reason, count=1, place=place + 1, example=example, uri=uri)
        if error:
            self.unreadable[uri] = error

    def describe(self) -> str:
        """Return a sentence with counts and reasons; empty where nothing is left out."""
        sentences = []
        if self.records:
            sentences.append(
                f"{self.records:,} of {self.rows + self.records:,} records left out of the "
                f"reference{_place(self.reasons.first_name)}: {self.reasons.describe('record')}"
            )
        if self.unreadable:
            shown = list(self.unreadable.items())[:MOST_OBJECTS]
            texts = "; ".join(f"{uri.rsplit('/', 1)[-1]}: {text}" for uri, text in shown)
            objects = f"{len(self.unreadable):,} object{'' if len(self.unreadable) == 1 else 's'}"
            sentences.append(
                f"{objects} of the reference can't be decoded: {texts}: check its format"
            )
        return "; ".join(sentences)

    def is_large(self, share: float) -> bool:
        """Whether a whole object, or more than `share` of the records, is left out."""
        return bool(self.unreadable) or self.records > share * max(self.rows + self.records, 1)

    def to_plain(self) -> Plain:
        """Return the reasons and the objects as JSON values."""
        return {
            "reasons": [
                {
                    "text": text,
                    "count": reason.count,
                    "place": reason.place,
                    "example": reason.example,
                    "uri": reason.uri,
                }
                for text, reason in self.reasons.reasons.items()
            ],
            "objects": dict(list(self.unreadable.items())[:MOST_STORED]),
        }


def losses_from_origin(origin: str, rows: int) -> ReferenceLosses:
    """Return what a stored reference leaves out; `origin` is the JSON of its objects."""
    for item in json.loads(origin)[:1]:
        if "losses" in item:
            return _from_plain(item["losses"], rows)
    return ReferenceLosses(rows)


def _from_plain(plain: Mapping[str, Any], rows: int) -> ReferenceLosses:
    losses = ReferenceLosses(rows, unreadable=dict(plain["objects"]))
    for reason in plain["reasons"]:
        losses.reasons.add(
            reason["text"],
            count=reason["count"],
            place=reason["place"],
            example=reason["example"],
            uri=reason["uri"],
        )
    return losses


def _place(name: str) -> str:
    return f" in {name}" if name else ""
