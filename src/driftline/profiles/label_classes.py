"""Finds the two classes of a binary model in the values of its labels and predictions.

Reads categories in their canonical form only; see `canonical_value`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from driftline.types import phrasing

PAIRS = (
    ("1", "0"),
    ("1", "-1"),
    ("yes", "no"),
    ("y", "n"),
    ("true", "false"),
    ("t", "f"),
    ("good", "bad"),
    ("positive", "negative"),
    ("pos", "neg"),
    ("fraud", "legit"),
    ("fraud", "ok"),
    ("spam", "ham"),
    ("on", "off"),
    ("churned", "stayed"),
    ("churn", "stay"),
    ("success", "failure"),
    ("pass", "fail"),
    ("accepted", "rejected"),
    ("accepted", "declined"),
    ("approved", "declined"),
    ("approved", "denied"),
    ("approved", "rejected"),
    ("anomaly", "normal"),
    ("malignant", "benign"),
    ("default", "paid"),
    ("ja", "nein"),
    ("ja", "nee"),
    ("ja", "nej"),
    ("oui", "non"),
    ("vrai", "faux"),
    ("si", "no"),
    ("sí", "no"),
    ("sì", "no"),
    ("sim", "não"),
    ("sim", "nao"),
    ("tak", "nie"),
    ("ano", "ne"),
    ("igen", "nem"),
    ("evet", "hayır"),
    ("evet", "hayir"),
    ("ναι", "όχι"),
    ("да", "нет"),
    ("так", "ні"),
    ("はい", "いいえ"),
    ("是", "否"),
    ("예", "아니요"),
    ("نعم", "لا"),
    ("כן", "לא"),
)
"""Positive and negative class, in lower case, of labels whose meaning needs no setting."""
UNKNOWN = frozenset(
    (
        "",
        "-1",
        "?",
        "-",
        "pending",
        "unknown",
        "unlabelled",
        "unlabeled",
        "missing",
        "waiting",
        "open",
        "none",
        "null",
        "nan",
        "na",
        "n/a",
        "tbd",
        "undefined",
    )
)
"""Values, in lower case, that stand for a label that is not known yet."""
SHOWN = 5
"""Values that a reason names."""


@dataclass(frozen=True, slots=True)
class LabelClasses:
    """The classes of a binary model; no positive class where they are not known."""

    positive: str = ""
    negative: str = ""
    """Empty where every other value is the negative class."""
    reason: str = ""
    """Why there is no positive class."""


def find_classes(
    positive: str, labels: Mapping[str, int], predictions: Mapping[str, int]
) -> LabelClasses:
    """Return the classes of a binary model.

    `positive` is the class that the configuration names, empty where it names none. `labels` and
    `predictions` are rows by value in the reference. Predictions count where the labels have less
    than two values.
    """
    values = _main_spellings(_without_unknown(labels), positive)
    if len(values) < 2:
        both = {
            name: labels.get(name, 0) + predictions.get(name, 0) for name in {*labels, *predictions}
        }
        values = _main_spellings(_without_unknown(both), positive)
    if len(values) > 2:
        return LabelClasses(
            reason=f"a binary model has two classes, and its values are {listing(values)}"
        )
    if positive:
        others = values - {positive}
        if positive in values or not values:
            return LabelClasses(positive, next(iter(others), _partner(positive)))
        if others == {_partner(positive)}:
            return LabelClasses(positive, *others)
        return LabelClasses(
            reason=f"the positive class is {phrasing.value_text(positive)}, and the values are "
            + listing(values)
        )
    if not values:
        return LabelClasses("1", "0")
    if len(values) == 1:
        (value,) = values
        pair = next((pair for pair in PAIRS if value.lower() in pair), None)
        if pair is not None and _partner(value):
            both_classes = (value, _partner(value))
            return LabelClasses(*(both_classes if pair[0] == value.lower() else both_classes[::-1]))
    pair_of_values = recognise_pair(values)
    if pair_of_values is None:
        return LabelClasses(
            reason=f"it is not known which of {listing(values)} is the positive class: set "
            "prediction.positive"
        )
    return LabelClasses(*pair_of_values)


def recognise_pair(values: Collection[str]) -> tuple[str, str] | None:
    """Return the positive and the negative of two values, None where they are no known pair."""
    lower = {value.strip().lower(): value for value in values}
    if len(values) != 2:
        return None
    for positive, negative in PAIRS:
        if lower.keys() == {positive, negative}:
            return lower[positive], lower[negative]
    return None


def is_unknown(value: str) -> bool:
    """Whether a value stands for a label that is not known yet."""
    return value.strip().lower() in UNKNOWN


def listing(values: Collection[str]) -> str:
    """Return the first few values for people: `no, yes and 3 more`."""
    names = [phrasing.value_text(name) for name in sorted(values)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _without_unknown(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the values without those for an unknown label, where more than two are there."""
    if len(counts) <= 2:
        return counts
    return {name: rows for name, rows in counts.items() if not is_unknown(name)}


def _main_spellings(counts: Mapping[str, int], positive: str) -> set[str]:
    """Return the values; of more than two, the most frequent of those that differ in case or outer
    spaces only.

    The spelling of `positive` is kept.
    """
    if len(counts) <= 2:
        return set(counts)
    spellings: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (name != positive, -counts[name], name)):
        spellings.setdefault(name.strip().lower(), name)
    return set(spellings.values())


def _partner(value: str) -> str:
    """Return the other class of a known pair, in the same case; empty where there is none."""
    for pair in PAIRS:
        if value.lower() in pair:
            other = pair[1 - pair.index(value.lower())]
            if value.islower() or not value.isalpha():
                return other
            return other.upper() if value.isupper() and len(value) > 1 else other.capitalize()
    return ""
