"""Columns made of texts say what plain Python says of each text by itself."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.ingest.columns import texts
from driftline.ingest.columns.derived import derive
from driftline.types.model import Field, Kind

pytestmark = pytest.mark.system

ODD = [
    "",
    "   ",
    "\u200b",
    "Hello, World 12!",
    "👍🏽 👩‍👩‍👧 ok",
    "e\u0301te\u0301 ÉTÉ",
    "שלום עולם abc",
    "‏مرحبا‎ ١٢٣",
    "日本語のテキスト です",
    "你好世界 再见",
    "Привет мир",
    "Καλημέρα",
    "नमस्ते दुनिया १२",
    "สวัสดีชาวโลก",
    "안녕하세요 세계",
    "ﬀ ﬁ ＡＢＣ",
    "ᚠᚢᚦ",
    "𝔘𝔫𝔦 𐍈 𠀋",
    "🏴\U000e0067\U000e007f 葛\U000e0100",
    "a\x1cb\x85c\u2028d\u3000e",
    "\x00\x01",
    "1,234.5 -- !!",
    "x" * 1_000_000,
    "me@example.org https://example.org/a www.example.org",
]
TEXT = st.one_of(st.text(max_size=40), st.sampled_from(ODD), st.none())


def columns(values, **options):
    made = texts.derive_text_columns(pa.array(values, pa.string(), **options))
    return {name: array.to_pylist() for name, array in made.items()}


def plainly(text):
    """What one text comes to, sign by sign."""
    if text is None:
        return (None,) * 5
    n = len(text)
    letters = [sign for sign in text if sign.isalpha() or 0x20000 <= ord(sign) < 0x40000]
    names = [unicodedata.name(sign, "CJK").split(" ") for sign in letters]
    found = [
        (name[1] if name[0] in ("FULLWIDTH", "HALFWIDTH") else name[0]).lower() for name in names
    ]
    known = [
        {"cjk": "han", "hiragana": "kana", "katakana": "kana"}.get(name, name) for name in found
    ]
    counts = {script: known.count(script) for script in texts.SCRIPTS}
    counts["other"] = len(known) - sum(counts.values())
    counts["kana"] += counts["han"] if counts["kana"] else 0
    script = max(counts, key=lambda name: counts[name]) if known else "none"
    shares = (
        (sum(ord(sign) > 127 for sign in text) / n, sum(sign.isdecimal() for sign in text) / n)
        if n
        else (None, None)
    )
    return float(n), float(len(text.split())), *shares, script


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXT, max_size=12))
@pytest.mark.slow
def test_each_text_is_what_python_says(values):
    """Lengths, words, shares and script of any text are those that a loop over its signs finds."""
    made = columns(values)
    for place, text in enumerate(values):
        expected = plainly(text)
        got = tuple(
            made[name][place] for name in ("characters", "words", "non_ascii", "digits", "script")
        )
        assert (
            got == pytest.approx(expected, nan_ok=True) if None not in expected else got == expected
        ), repr(text)


def test_odd_texts_alone():
    """Emoji, combining marks, right-to-left, digits of other scripts, control characters and a
    megabyte are texts too.
    """
    made = columns(ODD)
    for place, text in enumerate(ODD):
        expected = plainly(text)
        assert (
            tuple(
                made[name][place]
                for name in ("characters", "words", "non_ascii", "digits", "script")
            )
            == expected
        )
    assert [made["script"][ODD.index(text)] for text in ODD[8:16]] == [
        "kana", "han", "cyrillic", "greek", "devanagari", "thai", "hangul", "latin",
    ]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8), st.integers(0, 7), st.integers(1, 2_000))
def test_a_text_is_the_same_wherever_it_stands(values, shift, size):
    """Neither its neighbours, nor where a batch or a part of one is cut, change what is made of a
    text.
    """
    alone = [columns([value]) for value in values]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "BYTES", size)
        together = columns(values)
        sliced = texts.derive_text_columns(
            pa.array([None, *values[shift:], "z"], pa.string()).slice(1, len(values[shift:]))
        )
    for name in together:
        assert together[name] == [one[name][0] for one in alone]
        assert sliced[name].to_pylist() == together[name][shift:]


def test_the_word_is_one_of_the_text_without_its_dress():
    """Case, signs around it and digits don't make another word; addresses and endless words are not
    kept.
    """
    cases = {
        "«Refund!»": "refund",
        "Don't,": "don't",
        "(2024-12)": "0000-00",
        "!!!": "!!!",
        "été": "été",
        "me@example.org": "(address)",
        "https://example.org/secret": "(address)",
        "a" * 31: "(long)",
        "नमस्ते।": "नमस्ते",
    }
    assert dict(zip(cases, columns(list(cases))["word"], strict=True)) == cases
    assert columns(["你好世界"])["word"][0] in set("你好世界")
    assert columns(["", "  ", None])["word"] == [None] * 3


def test_every_word_of_a_text_has_its_turn():
    """Over many texts of four words each place is chosen about as often, so that shares of words
    are shares in texts.
    """
    values = [f"alpha beta gamma delta{'!' * n}" for n in range(2_000)]
    found, counts = np.unique(columns(values)["word"], return_counts=True)
    assert set(found) >= {"alpha", "beta", "gamma"}
    assert len(found) == 4
    assert counts.min() > 420


def test_equal_texts_have_one_hash_and_others_another():
    """The hash that enters a sample names the text, sign by sign; what has no word has none."""
    first, second, third, empty = columns(["same text", "same text", "same text ", " "])[""]
    assert first == second != third
    assert empty is None


def test_what_is_no_text_is_invalid_and_numbers_are_their_digits():
    """Numbers and truth values read as text; lists, objects and bytes that are no UTF-8 are
    invalid.
    """
    part = Field("t", "t", Kind.TEXT)
    numbers, wrong = derive(part, pa.array([12, None, 345]))
    assert numbers["t.characters"].to_pylist() == [2, None, 3]
    assert numbers["t.digits"].to_pylist() == [1, None, 1]
    assert wrong == {}
    for odd in (pa.array([["a"], None]), pa.array([{"a": 1}, None]), pa.array([b"\xff\xfe", None])):
        made, wrong = derive(part, odd)
        assert {name: rows.tolist() for name, rows in wrong.items()} == {
            name: [True, False] for name in part.profile_columns
        }
        assert all(array.null_count == 2 for array in made.values())
    coded, _ = derive(part, pa.array(["a b", "c", "a b"]).dictionary_encode())
    assert coded["t.words"].to_pylist() == [2, 1, 2]
    for nothing in (pa.nulls(2), pa.array([], pa.string())):
        made, wrong = derive(part, nothing)
        assert set(made) == set(part.profile_columns)
        assert wrong == {}
