"""Derives columns from free text: length, script, kinds of characters, and one word of each text.

Uses no language model and no list of words: words are what white space separates.
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.profiles.rowhash import hash_strings

BYTES = 1 << 22
"""About how much text is processed at a time."""
SCRIPTS = (
    "latin",
    "cyrillic",
    "greek",
    "arabic",
    "hebrew",
    "devanagari",
    "bengali",
    "tamil",
    "thai",
    "hangul",
    "han",
    "kana",
)
NAMES = (*SCRIPTS, "other", "none")
"""Values of `script`: the first word of the Unicode names of its letters, except for ALIASES."""
ALIASES = {"cjk": "han", "hiragana": "kana", "katakana": "kana"}
HAN, KANA, OTHER, NONE, DIGIT = (
    *(NAMES.index(name) for name in ("han", "kana", "other", "none")),
    len(NAMES),
)
TABLE_END, LETTERS_END = 0x20000, 0x40000
"""Code points: below the first a table is used, below the second all are han, above no letters."""
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)
"""Characters of scripts without spaces between words, where one character stands for a word."""
AROUND = string.punctuation + "“”‘’„«»‹›…–—¿¡·•。、，．！？：；（）「」『』【】،؛؟।"
LONGEST = 30
"""Characters of a word. Longer ones and addresses are not stored, as they may be private."""
ADDRESS, LONG = "(address)", "(long)"


def derive_text_columns(texts: pa.Array) -> dict[str, pa.Array]:
    """Columns of `texts` (strings), all of shape (n,); the column "" is a hash for the sample.

    `characters` and `words` are counts (float64). `non_ascii` and `digits` are shares of the
    characters, null where there are none; `word` and the hash are null where there is no word.
    `word` is one word of the text, chosen by its hash: equal texts give equal words, and the share
    of rows with a word is the mean share of that word in a text.
    """
    sizes = pc.binary_length(texts).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    breaks = np.flatnonzero(np.diff(np.cumsum(sizes + 16) // BYTES)) + 1
    ends = [0, *breaks.tolist(), len(texts)]
    parts = [_part(texts.slice(start, end - start)) for start, end in pairwise(ends)]
    columns = {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}
    return columns | {name: columns[name].dictionary_encode() for name in ("script", "word")}


def _part(texts: pa.Array) -> dict[str, pa.Array]:
    missing = np.asarray(texts.is_null().to_numpy(zero_copy_only=False), bool)
    values, hashes = texts.fill_null("").to_pylist(), hash_strings(texts)
    characters = np.array([len(value) for value in values], np.int64)
    counts, foreign = _count_characters("".join(values), characters)
    words = np.zeros(len(values), np.int64)
    sample_words: list[str | None] = [None] * len(values)
    for place, value in enumerate(values):
        pieces = value.split()
        words[place] = len(pieces)
        if pieces:
            sample_words[place] = _word(
                pieces[int(hashes[place]) % len(pieces)], int(hashes[place]) >> 32
            )
    return {
        "characters": pa.array(characters.astype(np.float64), mask=missing),
        "words": pa.array(words.astype(np.float64), mask=missing),
        "non_ascii": _share(foreign, characters),
        "digits": _share(counts[:, DIGIT], characters),
        "script": pa.array(_scripts(counts[:, :NONE]), pa.string(), mask=missing),
        "word": pa.array(sample_words, pa.string()),
        "": pa.array(hashes, mask=words == 0),
    }


def _count_characters(
    text: str, lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the characters of each text by sort, (n, sorts), and those beyond ASCII, (n,).

    `text` is all texts in sequence, `lengths` (n,) their lengths.
    """
    ascii_only = text.isascii()
    signs: NDArray[Any] = np.frombuffer(
        text.encode("ascii" if ascii_only else "utf-32-le"), np.uint8 if ascii_only else np.uint32
    )
    places = (
        signs
        if ascii_only
        else np.where(signs < LETTERS_END, np.minimum(signs, TABLE_END), TABLE_END + 1)
    )
    sorts, size = _sorts()[places], DIGIT + 1
    rows = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.bincount(rows * size + sorts, minlength=len(lengths) * size).reshape(-1, size)
    return counts, np.bincount(rows[signs > 127], minlength=len(lengths))


@cache
def _sorts() -> NDArray[np.uint8]:
    """The sort of each character: its script, another letter, a decimal digit, or none, uint8."""
    places = {name: place for place, name in enumerate(SCRIPTS)}
    sorts = np.array([NONE] * TABLE_END + [HAN, NONE], np.uint8)
    for code in range(TABLE_END):
        sign = chr(code)
        first = (
            unicodedata.name(sign, "")
            .removeprefix("FULLWIDTH ")
            .removeprefix("HALFWIDTH ")
            .split(" ")[0]
            .lower()
        )
        letter = places.get(ALIASES.get(first, first), OTHER)
        sorts[code] = letter if sign.isalpha() else DIGIT if sign.isdecimal() else NONE
    return sorts


def _scripts(letters: NDArray[np.int64]) -> list[str]:
    """The script of most letters, of equal ones the first; text with any kana is kana."""
    letters = letters.copy()
    letters[:, KANA] += np.where(letters[:, KANA] > 0, letters[:, HAN], 0)
    places = np.where(letters.any(axis=1), letters.argmax(axis=1), NONE)
    return [NAMES[place] for place in places.tolist()]


def _share(counts: NDArray[np.int64], characters: NDArray[np.int64]) -> pa.Array:
    return pa.array(counts / np.maximum(characters, 1), mask=characters == 0)


def _word(piece: str, turn: int) -> str:
    """The word in lower case, without punctuation around it, its digits as 0.

    In a script without spaces, `turn` chooses the one character that stands for it.
    """
    if "@" in piece or "://" in piece or piece.startswith("www."):
        return ADDRESS
    word = (piece.strip(AROUND) or piece).lower()
    if not word.isascii() and (signs := UNSPACED.findall(word)):
        return str(signs[turn % len(signs)])
    if not word.isalpha():
        word = re.sub(r"\d", "0", word)
    return word if len(word) <= LONGEST else LONG
