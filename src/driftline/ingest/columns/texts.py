"""Free text as columns: how long, in which script, of which signs, and one word of each text.

Refuses to understand: no language model, no list of words. What a word is, white space says.
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
"""About how much text is taken apart at a time."""
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
"""What `script` may be. The first word of the Unicode name of its letters, but for these."""
ALIKE = {"cjk": "han", "hiragana": "kana", "katakana": "kana"}
HAN, KANA, OTHER, NONE, DIGIT = (
    *(NAMES.index(name) for name in ("han", "kana", "other", "none")),
    len(NAMES),
)
LOOKED_UP, LETTERS = 0x20000, 0x40000
"""Up to the first signs are looked up, from there to the second all are han, beyond are no
letters.
"""
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)
"""Of scripts that put no spaces between words one sign stands for a word."""
AROUND = string.punctuation + "“”‘’„«»‹›…–—¿¡·•。、，．！？：；（）「」『』【】،؛؟।"
LONGEST = 30
"""Characters of a word. What is longer, or an address, is no word that anyone should keep."""
ADDRESS, LONG = "(address)", "(long)"


def derive_text_columns(texts: pa.Array) -> dict[str, pa.Array]:
    """The columns that stand for `texts` (string), each of its length; the one called "" is a hash
    of each, for the sample.

    `non_ascii` and `digits` are shares of the characters, None where there are none; `word` and the
    hash are None where there is no word. `word` is one word of the text, chosen by its hash: equal
    texts give equal words, and the share of rows with a word is the mean share of that word in a
    text.
    """
    sizes = pc.binary_length(texts).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    turns = np.flatnonzero(np.diff(np.cumsum(sizes + 16) // BYTES)) + 1
    ends = [0, *turns.tolist(), len(texts)]
    parts = [_part(texts.slice(start, end - start)) for start, end in pairwise(ends)]
    made = {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}
    return made | {name: made[name].dictionary_encode() for name in ("script", "word")}


def _part(texts: pa.Array) -> dict[str, pa.Array]:
    missing = np.asarray(texts.is_null().to_numpy(zero_copy_only=False), bool)
    values, hashes = texts.fill_null("").to_pylist(), hash_strings(texts)
    characters = np.array([len(value) for value in values], np.int64)
    counts, foreign = _signs("".join(values), characters)
    words = np.zeros(len(values), np.int64)
    chosen: list[str | None] = [None] * len(values)
    for place, value in enumerate(values):
        pieces = value.split()
        words[place] = len(pieces)
        if pieces:
            chosen[place] = _word(
                pieces[int(hashes[place]) % len(pieces)], int(hashes[place]) >> 32
            )
    return {
        "characters": pa.array(characters.astype(np.float64), mask=missing),
        "words": pa.array(words.astype(np.float64), mask=missing),
        "non_ascii": _share(foreign, characters),
        "digits": _share(counts[:, DIGIT], characters),
        "script": pa.array(_scripts(counts[:, :NONE]), pa.string(), mask=missing),
        "word": pa.array(chosen, pa.string()),
        "": pa.array(hashes, mask=words == 0),
    }


def _signs(joined: str, lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many signs of each sort, and how many beyond ASCII, are in each of the texts that are
    joined; (n, sorts) and (n,).
    """
    ascii_only = joined.isascii()
    signs: NDArray[Any] = np.frombuffer(
        joined.encode("ascii" if ascii_only else "utf-32-le"), np.uint8 if ascii_only else np.uint32
    )
    places = (
        signs
        if ascii_only
        else np.where(signs < LETTERS, np.minimum(signs, LOOKED_UP), LOOKED_UP + 1)
    )
    sorts, size = _sorts()[places], DIGIT + 1
    rows = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.bincount(rows * size + sorts, minlength=len(lengths) * size).reshape(-1, size)
    return counts, np.bincount(rows[signs > 127], minlength=len(lengths))


@cache
def _sorts() -> NDArray[np.uint8]:
    """The sort of each sign: its script, other letters, a decimal digit, or none of these."""
    known = {name: place for place, name in enumerate(SCRIPTS)}
    sorts = np.array([NONE] * LOOKED_UP + [HAN, NONE], np.uint8)
    for code in range(LOOKED_UP):
        sign = chr(code)
        first = (
            unicodedata.name(sign, "")
            .removeprefix("FULLWIDTH ")
            .removeprefix("HALFWIDTH ")
            .split(" ")[0]
            .lower()
        )
        letter = known.get(ALIKE.get(first, first), OTHER)
        sorts[code] = letter if sign.isalpha() else DIGIT if sign.isdecimal() else NONE
    return sorts


def _scripts(letters: NDArray[np.int64]) -> list[str]:
    """The script of most letters, of equally many the first; Japanese is kana, also where it has
    more han.
    """
    letters = letters.copy()
    letters[:, KANA] += np.where(letters[:, KANA] > 0, letters[:, HAN], 0)
    places = np.where(letters.any(axis=1), letters.argmax(axis=1), NONE)
    return [NAMES[place] for place in places.tolist()]


def _share(counts: NDArray[np.int64], characters: NDArray[np.int64]) -> pa.Array:
    return pa.array(counts / np.maximum(characters, 1), mask=characters == 0)


def _word(piece: str, turn: int) -> str:
    """In lower case, without signs around it, its digits as 0; `turn` chooses where one sign stands
    for it.
    """
    if "@" in piece or "://" in piece or piece.startswith("www."):
        return ADDRESS
    word = (piece.strip(AROUND) or piece).lower()
    if not word.isascii() and (signs := UNSPACED.findall(word)):
        return str(signs[turn % len(signs)])
    if not word.isalpha():
        word = re.sub(r"\d", "0", word)
    return word if len(word) <= LONGEST else LONG
