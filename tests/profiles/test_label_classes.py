"""The two classes of a binary model, from the values of its labels and predictions."""

import pyarrow as pa
import pytest

from driftline.ingest.columns.canonical import to_categorical
from driftline.profiles.label_classes import LabelClasses, find_classes, is_unknown

RECOGNISED = {
    "integers": ([1, 0], "1", "0"),
    "floats": ([1.0, 0.0], "1", "0"),
    "booleans": ([True, False], "1", "0"),
    "texts of floats": (["1.0", "0.0"], "1", "0"),
    "signs": ([1, -1], "1", "-1"),
    "words": (["yes", "no"], "yes", "no"),
    "capitals": (["YES", "NO"], "YES", "NO"),
    "first letter in capitals": (["Fraud", "Legit"], "Fraud", "Legit"),
    "one case for each": (["Good", "bad"], "Good", "bad"),
    "letters": (["T", "F"], "T", "F"),
    "spaces around words": ([" yes", "no "], " yes", "no "),
    "spaces around numbers": (["1 ", "0 "], "1 ", "0 "),
    "German": (["ja", "nein"], "ja", "nein"),
    "French capitals": (["OUI", "NON"], "OUI", "NON"),
    "Spanish": (["Sí", "No"], "Sí", "No"),
    "Russian": (["Да", "Нет"], "Да", "Нет"),
    "Japanese": (["はい", "いいえ"], "はい", "いいえ"),
    "decisions": (["Approved", "Denied"], "Approved", "Denied"),
    "tabs before words": (["\tpositive", "\tnegative"], "\tpositive", "\tnegative"),
}
MEANINGLESS = {
    "own names": ["leaver", "keeper"],
    "two numbers": [1, 2],
    "numbered classes": ["class_1", "class_0"],
    "halves of two pairs": ["yes", "bad"],
    "the same word with and without a space": ["yes", "yes "],
}


def rows_by_value(values):
    """So many rows of each value, in the form in which data are read."""
    array, _ = to_categorical(pa.array(values))
    return dict.fromkeys(array.dictionary.to_pylist(), 50)


@pytest.mark.parametrize("kind", RECOGNISED)
def test_pairs_of_usual_words_are_recognised_in_every_spelling(kind):
    """The first value is the positive class; each class keeps its own spelling."""
    values, positive, negative = RECOGNISED[kind]
    counts = rows_by_value(values)
    assert find_classes("", counts, {}) == LabelClasses(positive, negative)
    assert find_classes("", {}, counts) == LabelClasses(positive, negative)


@pytest.mark.parametrize("kind", MEANINGLESS)
def test_other_pairs_need_a_setting(kind):
    """No positive class is guessed; with one that occurs, the other value is the negative class."""
    counts = rows_by_value(MEANINGLESS[kind])
    first, second = counts
    found = find_classes("", counts, {})
    assert (found.positive, found.negative) == ("", "")
    assert "set prediction.positive" in found.reason
    assert find_classes(first, counts, {}) == LabelClasses(first, second)


def test_a_positive_class_that_no_value_has_is_no_class():
    """Another case or a space is another value; the reason shows where the space is."""
    for positive in ("Yes", "yes ", "1"):
        assert find_classes(positive, rows_by_value(["yes", "no"]), {}).positive == ""
    found = find_classes("yes", rows_by_value(["yes ", "no "]), {})
    assert found.reason == "the positive class is yes, and the values are “no ”, “yes ”"


def test_values_for_unknown_labels_and_rare_spellings_are_no_classes():
    """Beside two classes; a spelling that differs in case or outer spaces counts for the frequent
    one.
    """
    counts = {"yes": 400, "no": 500, "pending": 90, "Yes": 5, "no ": 3, " N/A": 8}
    assert find_classes("", counts, {}) == LabelClasses("yes", "no")
    assert is_unknown(" Pending ")


def test_more_than_two_values_are_no_binary_model():
    found = find_classes("", {"a": 9, "b": 9, "c\x00": 9}, {})
    assert found.reason == "a binary model has two classes, and its values are a, b, “c\\x00”"
