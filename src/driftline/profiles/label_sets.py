"""Counts of predicted and true sets of classes, for a model that predicts several at once.

The score collector has one `LabelSetCounts`; it is no collector of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from driftline.profiles.counting import name_hash
from driftline.profiles.window import LabelSets

CLASSES = 2000
"""Classes that are counted one by one: those with the smallest hashes."""
SUMS = ("n", "exact", "wrong", "wrong2", "tp", "predicted", "labelled")
PRODUCTS = ("tp_tp", "tp_predicted", "tp_labelled", "predicted2", "labelled2", "both")


@lru_cache(maxsize=10_000)
def names_of(label_set: str) -> frozenset[str]:
    """Return the classes of a canonical set, such as `["a","b"]`."""
    return frozenset(json.loads(label_set))


class LabelSetCounts:
    """Counts over labelled rows, and by class."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys((*SUMS, *PRODUCTS), 0)
        self._jaccard: dict[tuple[int, int], int] = {}
        """Rows by (classes in both sets, classes in either)."""
        self._by_class: dict[str, list[int]] = {}
        """Rows where the class is in both sets, only predicted, and only labelled."""
        self._is_cut = False

    def add(self, pairs: Iterable[tuple[str, str, int]]) -> None:
        """Add rows by canonical set of labels and of predictions: (labels, predictions, rows)."""
        for label_text, prediction_text, rows in pairs:
            labels, predictions = names_of(label_text), names_of(prediction_text)
            both = labels & predictions
            tp, predicted, labelled = len(both), len(predictions), len(labels)
            wrong = len(labels ^ predictions)
            values = {
                "n": 1,
                "exact": int(not wrong),
                "wrong": wrong,
                "wrong2": wrong * wrong,
                "tp": tp,
                "predicted": predicted,
                "labelled": labelled,
                "tp_tp": tp * tp,
                "tp_predicted": tp * predicted,
                "tp_labelled": tp * labelled,
                "predicted2": predicted * predicted,
                "labelled2": labelled * labelled,
                "both": predicted * labelled,
            }
            for name, value in values.items():
                self._sums[name] += value * rows
            key = tp, len(labels | predictions)
            self._jaccard[key] = self._jaccard.get(key, 0) + rows
            for place, names in enumerate((both, predictions - both, labels - both)):
                for name in names:
                    self._by_class.setdefault(name, [0, 0, 0])[place] += rows
        self._cut()

    def merge(self, other: LabelSetCounts) -> None:
        """Add other counts, which do not change."""
        for name, value in other._sums.items():
            self._sums[name] += value
        for key, rows in other._jaccard.items():
            self._jaccard[key] = self._jaccard.get(key, 0) + rows
        for name, counts in other._by_class.items():
            own = self._by_class.setdefault(name, [0, 0, 0])
            for place, count in enumerate(counts):
                own[place] += count
        self._is_cut = self._is_cut or other._is_cut
        self._cut()

    def _cut(self) -> None:
        """Keep the classes with the smallest hashes; one that is kept was kept in every part."""
        if len(self._by_class) > CLASSES:
            self._is_cut = True
            names = sorted(self._by_class, key=name_hash)[:CLASSES]
            self._by_class = {name: self._by_class[name] for name in names}

    def summary(self, known: frozenset[str]) -> LabelSets:
        """The counts as values; `known` are the classes of the reference."""
        return LabelSets(
            **self._sums,
            jaccard=dict(sorted(self._jaccard.items())),
            by_class={name: (tp, fp, fn) for name, (tp, fp, fn) in sorted(self._by_class.items())},
            classes=len(known.union(self._by_class)),
            is_cut=self._is_cut,
        )

    def state(self) -> tuple[object, ...]:
        """The canonical form."""
        return (
            list(self._sums.values()),
            [(*key, rows) for key, rows in sorted(self._jaccard.items())],
            sorted(self._by_class.items()),
            self._is_cut,
        )

    @classmethod
    def restore(cls, state: Sequence[Any]) -> LabelSetCounts:
        """The inverse of `state`."""
        counts = cls()
        sums, jaccard, by_class, counts._is_cut = state
        counts._sums = dict(zip(counts._sums, sums, strict=True))
        counts._jaccard = {(both, either): rows for both, either, rows in jaccard}
        counts._by_class = {name: list(cells) for name, cells in by_class}
        return counts
