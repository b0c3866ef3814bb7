"""The canonical form of values, as text: one value has one form, whatever wrote it.

Data and settings are compared in this form. It covers booleans (`1` and `0`), whole numbers,
decimals and floats. A number is written with plain digits, without zeros at the end: `1.00`, `1.0`
and `1` are `1`. Floats have the shortest digits of their own width, so that 0.1 of 32 bits is `0.1`
also where a writer has widened it to `0.10000000149011612`, or to `0.1000000015` as pandas does in
JSON. Other text stays as it is.
"""

from __future__ import annotations

import re
from decimal import Decimal

from driftline.profiles.counting import name_hash

LONGEST = 200
"""Characters of a value; a longer one is cut and gets a hash of the whole text."""
TRUE, FALSE = "1", "0"
BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE"), TRUE),
    **dict.fromkeys(("false", "False", "FALSE"), FALSE),
}
NUMBER = "|".join(
    (
        "-0",
        r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)",
        r"[+-]?[0-9]*\.?[0-9]+[eE][+-][0-9]{1,3}",
        r"[+-]?[0-9]+\.[0-9]*[eE][+-]?[0-9]{1,3}",
    )
)
"""A number that may have another form. Whole numbers do not; `12e4` may be a code."""
_NUMBER = re.compile(NUMBER)
_NOT_A_NUMBER = frozenset({"nan", "NaN"})
PLAIN = range(-20, 40)
"""Powers of ten of the first digit that are written with plain digits; others as `1e40`."""
DECIMALS = 10
"""Decimals to which pandas rounds floats in JSON."""
WIDENED = 10
"""Significant digits from which on a float may be one of 32 bits; these need at most 9."""


def canonical_text(text: str) -> str | None:
    """Return the canonical form of a text; None for an empty one."""
    if not text:
        return None
    boolean = BOOLEANS.get(text)
    if boolean is not None:
        return boolean
    if len(text) > LONGEST:
        return f"{text[:LONGEST]}…#{name_hash(text):016x}"
    return _digits(text) if _NUMBER.fullmatch(text) else text


def canonical_value(value: object) -> str | None:
    """Return the canonical form of a value, such as one of a setting.

    None stands for a missing value: None, NaN or an empty text.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return TRUE if value else FALSE
    text = str(value)
    if isinstance(value, float | Decimal) and text in _NOT_A_NUMBER:
        return None
    return canonical_text(text)


def _digits(text: str) -> str:
    """Write a number, which matches NUMBER, with its shortest digits."""
    sign, figures, exponent = _split(Decimal(text))
    if len(figures) >= WIDENED:
        sign, figures, exponent = _split(_narrow(Decimal(text)))
    if not figures:
        return "0"
    minus = "-" if sign else "+" if text[0] == "+" else ""
    first = exponent + len(figures) - 1
    if first not in PLAIN:
        point = "." if len(figures) > 1 else ""
        return f"{minus}{figures[0]}{point}{figures[1:]}e{first}"
    if exponent >= 0:
        return minus + figures + "0" * exponent
    figures = figures.rjust(1 - exponent, "0")
    return f"{minus}{figures[:exponent]}.{figures[exponent:]}"


def _split(number: Decimal) -> tuple[int, str, int]:
    """Return sign, digits without zeros at either end, and the power of ten of the last one."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    figures = "".join(map(str, digits)).lstrip("0")
    kept = figures.rstrip("0")
    return sign, kept, exponent + len(figures) - len(kept)


def _narrow(number: Decimal) -> Decimal:
    """Return the shortest digits of the same float of 32 bits, if `number` is a widened one."""
    import numpy as np

    wide = float(number)
    if Decimal(repr(wide)) != number or (wide.is_integer() and abs(wide) < 2**53):
        return number
    with np.errstate(over="ignore"):
        narrow = np.float32(wide)
    if wide in (float(narrow), round(float(narrow), DECIMALS)):
        return Decimal(str(narrow))
    return number
