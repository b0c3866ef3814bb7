"""Texts: unknown words and repeated texts, found where they are and only there."""

import math
from dataclasses import replace

import numpy as np
import pytest
from driftline_plugins.checks import text as module
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.text import Text

from driftline import Field, Kind, Schema, stats
from driftline.extensions import Registry
from driftline.extensions.validate import validate_measurement
from driftline.testing import assert_plugin_contract, context, window

pytestmark = pytest.mark.system

CHECK = Text()
VOCABULARY = np.array(
    ["".join(chr(97 + n // 26**place % 26) for place in range(4)) for n in range(5_000)]
)
SHARES = 1 / np.arange(1, 5_001)
SHARES /= SHARES.sum()


def schema(**more):
    return Schema(features={"said": Field("said", "said", Kind.TEXT)}, **more)


def draw(seed, rows, news=0.0):
    """Texts of 3 to 15 words with a long tail; a share `news` of the words are in no vocabulary."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 16, rows)
    words = rng.choice(VOCABULARY, sizes.sum(), p=SHARES)
    words = np.where(rng.random(len(words)) < news, "zz" + words.astype(object), words)
    return [" ".join(part) for part in np.split(words, np.cumsum(sizes)[:-1])]


def measured(now, was, **more):
    told = schema(**more)
    reference = None if was is None else window(schema=told, said=was)
    ctx = context(window(reference, schema=told, said=now), reference, schema=told)
    return {m.name: validate_measurement(m) for m in CHECK.evaluate(ctx)}


def verdict(m):
    return CHECK.default_rules[m.name].judge(m, m.rows, CHECK.min_rows).verdict


@pytest.mark.parametrize("rows", [2_000, 10_000])
def test_the_long_tail_of_words_is_no_news(rows):
    """Whether the reference is small and knows few words, or large, 50 windows of the same texts
    are no change.
    """
    was = draw(1, rows)
    shares = []
    for seed in range(50):
        found = measured(draw(100 + seed, 300), was)
        assert verdict(found["unknown_words"]) in ("ok", "unsure")
        assert verdict(found["repeated_texts"]) == "ok"
        shares.append(found["unknown_words"].detail)
    was_share = shares[0]["share_was"]
    error = math.sqrt(was_share * (1 - was_share) / rows)
    assert np.mean([one["share"] for one in shares]) == pytest.approx(
        was_share, abs=4 * error + 0.01
    )


def test_unknown_words_are_found_and_named():
    """A tenth of new words is ten points, about, and the most frequent of them are told."""
    found = measured(draw(3, 3_000, news=0.1), draw(1, 20_000))["unknown_words"]
    assert found.value == pytest.approx(0.1, abs=0.03)
    assert verdict(found) == "changed"
    words = found.detail["words"].split(", ")
    assert len(words) == 5
    assert "zzaaaa" in words


def test_a_vocabulary_beyond_the_bound_is_cut_where_every_window_counts(monkeypatch):
    """With more words than are counted by name only the frequent ones are known, on both sides
    alike.
    """
    monkeypatch.setattr(module, "KNOWN", 200)
    was = draw(1, 5_000)
    counted = window(schema=schema(), said=was).columns["said.word"].counts
    often = list(counted.values())[200]
    unknown_was = sum(count for count in counted.values() if count <= often + 1)
    found = [measured(draw(100 + seed, 1_000), was)["unknown_words"] for seed in range(10)]
    assert found[0].detail["share_was"] == pytest.approx(unknown_was / 5_000)
    assert np.mean([m.detail["share"] - m.detail["share_was"] for m in found]) == pytest.approx(
        0, abs=0.02
    )
    assert verdict(measured(draw(3, 3_000, news=0.2), was)["unknown_words"]) == "changed"


def test_words_beyond_a_window_s_bound_are_unknown():
    """Rows whose words a window could not keep by name count as unknown: what is known always has a
    name.
    """
    told, texts = schema(), draw(1, 1_000)
    reference = window(schema=told, said=texts)
    now = window(reference, schema=told, said=texts)
    column = replace(now.columns["said.word"], other=500, rows=1_500)
    now = replace(now, columns={**now.columns, "said.word": column})
    found = next(iter(CHECK.evaluate(context(now, reference, schema=told))))
    assert found.detail["share"] == pytest.approx(500 / 1_500)


def test_repeated_texts_are_found():
    """One text in every fifth row shows as about twenty points; single copies and empty texts
    don't.
    """
    now = draw(3, 2_000)
    now[::5] = ["buy now at a very low price"] * 400
    found = measured(now, draw(1, 2_000))["repeated_texts"]
    assert found.value == pytest.approx(0.2, abs=0.06)
    assert found.interval == pytest.approx(
        stats.newcombe(
            round(500 * found.detail["share"]), 500, round(500 * found.detail["share_was"]), 500
        )
    )
    assert verdict(found) == "changed"
    found = measured([*draw(3, 1_000), *["", "  "] * 500], draw(1, 2_000))["repeated_texts"]
    assert found.value == pytest.approx(0, abs=0.01)


def test_a_small_window_is_compared_with_as_many_rows():
    """Repeats grow with the rows that are looked at, so both sides have equally many."""
    texts = [f"one of only fifty texts there are {n % 50}" for n in range(3_000)]
    draws = np.random.default_rng(0)
    for rows in (60, 150, 1_000):
        found = measured(list(draws.choice(texts, rows)), texts)["repeated_texts"]
        assert abs(found.value) < 0.2
        assert found.rows == min(rows, 500)
        assert verdict(found) != "changed"


TEXTS = draw(1, 300)
CASES = {
    "no reference": (
        TEXTS,
        None,
        {"no words in the reference", "no texts in the sample of the reference"},
    ),
    "all null": (
        [None] * 50,
        TEXTS,
        {"no words in the window", "no texts in the sample of the window"},
    ),
    "all empty": (
        ["", " "] * 50,
        TEXTS,
        {"no words in the window", "no texts in the sample of the window"},
    ),
    "no rows": ([], TEXTS, {"no words in the window", "no texts in the sample of the window"}),
    "an empty reference": (
        TEXTS,
        [None] * 9,
        {"no words in the reference", "no texts in the sample of the reference"},
    ),
    "one row": (TEXTS[:1], TEXTS, {""}),
    "a reference of one": (TEXTS, TEXTS[:1], {""}),
    "constant": (["the same"] * 200, ["the same"] * 300, {""}),
    "a constant window": (["the same"] * 200, TEXTS, {""}),
    "numbers": ([1.5, 2.5] * 50, TEXTS, {""}),
    "signs": (["👍", "!!", "\u200b", "\x00"] * 30, TEXTS, {""}),
}


@pytest.mark.parametrize("case", CASES)
def test_odd_texts_have_a_defined_answer(case):
    """A value or a reason for both measurements, never an exception, never NaN."""
    now, was, reasons = CASES[case]
    found = measured(now, was)
    assert list(found) == ["unknown_words", "repeated_texts"]
    assert {m.reason for m in found.values()} == reasons
    for m in found.values():
        assert (m.value is None) == bool(m.reason)
        assert m.interval is None or m.interval[0] <= m.value <= m.interval[1]
        assert m.value is None or math.isfinite(m.value)


def test_the_same_texts_are_no_change():
    """Identical data, also where all of it is one text, has effect 0 and is ok."""
    for texts in (TEXTS, ["the same"] * 300):
        found = measured(texts, texts)
        assert {m.value for m in found.values()} == {0.0}
        assert {verdict(m) for m in found.values()} == {"ok"}


def test_redacted_texts_leave_no_trace():
    """Of a redacted text no word is told and no hash kept; how many words are unknown still is."""
    found = measured(draw(3, 2_000, news=0.2), draw(1, 5_000), redact=frozenset({"said"}))
    assert found["unknown_words"].value > 0.1
    assert "words" not in found["unknown_words"].detail
    assert found["repeated_texts"].reason == "its texts are not kept"
    told = schema(redact=frozenset({"said"}))
    reference = window(schema=told, said=draw(1, 500))
    now = window(reference, schema=told, said=["hunter2 " + text for text in draw(2, 500)])
    assert "hunter" not in str(now.summaries["sample"])
    for check in (CHECK, Drift()):
        assert "hunter" not in str(
            [m.detail for m in check.evaluate(context(now, reference, schema=told))]
        )


def test_the_columns_of_a_text_are_watched_like_any_other():
    """Longer texts in another script are drift of `said.characters`, `said.script` and
    `said.word`.
    """
    told = schema()
    reference = window(schema=told, said=draw(1, 1_000))
    now = window(
        reference, schema=told, said=["одно слово и ещё много слов здесь подряд " * 5] * 500
    )
    found = {
        (m.labels["column"], m.name): m
        for m in Drift().evaluate(context(now, reference, schema=told))
    }
    assert found["said.characters", "psi"].value > 0.25
    assert found["said.script", "new_categories"].detail["categories"] == "cyrillic"
    assert found["said.word", "new_categories"].interval[0] > 0.1


def test_the_contract():
    """It is a plugin like any other, found by its name; on columns of other kinds it has nothing to
    say.
    """
    assert Registry.load().get("check", "text") is Text
    assert_plugin_contract(Text(), unmeasured=tuple(Text.default_rules))
    assert "| input | answer |" in Text.__doc__
    plain = window(plan=["a", "b"])
    assert list(CHECK.evaluate(context(plain, plain))) == []
