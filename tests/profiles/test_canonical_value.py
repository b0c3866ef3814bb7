"""The canonical form of values, which data and settings are compared in."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.ingest.columns.canonical import hash_ids, to_categorical
from driftline.profiles.canonical_value import canonical_text, canonical_value


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ((True, "true", "True", "TRUE", 1, 1.0, "1", "1.0", "1.", Decimal("1.00")), "1"),
        ((False, "false", "FALSE", 0, 0.0, -0.0, "-0.0", "-0", ".0", Decimal("0E-8")), "0"),
        ((0.1, "0.10", ".1", "1e-1", Decimal("0.100"), 0.10000000149011612), "0.1"),
        ((100.5, "100.50", "1.005E2", Decimal("100.50")), "100.5"),
        ((-7.25, "-7.250", Decimal("-7.25")), "-7.25"),
        ((1e-7, "1E-07", "0.0000001", Decimal("0.00000010")), "0.0000001"),
        ((1e17, "1e+17", 10**17, "100000000000000000.0"), "1" + "0" * 17),
        ((2**53 + 1, str(2**53 + 1), Decimal(2**53 + 1)), "9007199254740993"),
        ((1e-300, "1.0E-300"), "1e-300"),
        ((1234567.25, "1234567.250", float(np.float32(1234567.25))), "1234567.25"),
        ((123456792.0, "123456792"), "123456792"),
        ((None, "", float("nan"), Decimal("NaN")), None),
    ],
    ids=str,
)
def test_one_value_has_one_form(values, form):
    """Booleans, whole numbers, decimals, floats and their texts are compared by value."""
    assert {canonical_value(value) for value in values} == {form}


@pytest.mark.parametrize(
    "text", ["007", "12e4", "1.2.3", "v1.0", "1,50", "yes", "nan", "+4912345", "0x10", "1e", "."]
)
def test_text_that_is_no_number_stays(text):
    """Codes with zeros in front, versions and words are no numbers."""
    assert canonical_text(text) == text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_widened_float_has_the_digits_of_its_own_width(value):
    """A float of 32 bits reads the same from a typed column, a widened one and its short text."""
    narrow = np.float32(value)
    forms = {canonical_value(float(narrow)), canonical_text(repr(float(narrow)))}
    typed, _ = to_categorical(pa.array([narrow], pa.float32()))
    assert forms == set(typed.to_pylist())
    assert np.float32(forms.pop()) == narrow


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_form_of_a_float_names_no_other_float(value):
    """The form reads back as the same float, of 64 bits or of 32."""
    read_back = float(canonical_value(value) or "")
    assert read_back == value or float(np.float32(read_back)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9)))
def test_a_decimal_and_its_texts_have_one_form(value):
    """Zeros at the end never make a difference."""
    assert canonical_value(value) == canonical_text(f"{value:f}0")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([Decimal("1.00"), Decimal("0.10"), Decimal("100.50")], pa.decimal128(10, 2)),
        pa.array([1.0, 0.1, 100.5]),
        pa.array([1.0, 0.1, 100.5], pa.float32()),
        pa.array(["1.0", "0.1", "100.500"]),
        pa.array(["1", "0.10", "100.5"]).dictionary_encode(),
        pa.array(["1.0", "0.10000000149011612", "100.5"]),
    ],
    ids=lambda values: str(values.type),
)
def test_categories_are_the_same_in_every_column_type(values):
    """Decimals, floats of both widths and text give the same categories."""
    names, _ = to_categorical(values)
    assert names.to_pylist() == ["1", "0.1", "100.5"]


def test_ids_of_decimals_match_whole_numbers():
    """Labels join by an id that one side writes as a decimal."""
    decimals = pa.array([Decimal("7.00"), Decimal("12.00")], pa.decimal128(10, 2))
    assert hash_ids(decimals).tolist() == hash_ids(pa.array([7, 12])).tolist()


def test_halves_have_the_digits_of_16_bits():
    """0.1 in 16 bits is 0.1, not the digits that 32 bits need for it."""
    names, _ = to_categorical(pa.array(np.array([0.1, 2048.0], np.float16)))
    assert names.to_pylist() == ["0.1", "2048"]
