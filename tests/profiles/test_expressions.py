"""Expressions about rows: what they say, what they refuse, and that they add up in any order."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.ingest.columns.canonical import to_categorical
from driftline.kit.checks.expressions import parse, quote_column
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.language import ExpressionError
from driftline.profiles.profile import Profile
from driftline.profiles.spec import CategorySpec, NumericSpec, ProfileSpec
from driftline.profiles.tallies import ExpressionCollector, misfit_reason
from driftline.testing import assert_collector_contract
from driftline.testing.collector_contract import sample_spec
from driftline.types.model import Kind

NUMBERS, TEXTS = ("a", "b"), ("u", "v")
KINDS = dict.fromkeys(NUMBERS, Kind.NUMERIC) | dict.fromkeys(TEXTS, Kind.CATEGORICAL)


def batch(**columns: list) -> Batch:
    rows = len(next(iter(columns.values())))
    cast = {
        name: pa.array(values, pa.float64())
        if KINDS[name] is Kind.NUMERIC
        else to_categorical(pa.array(values, pa.string()))[0]
        for name, values in columns.items()
    }
    return Batch(rows=rows, columns=cast, events=np.arange(rows))


def spec(*texts: str) -> ProfileSpec:
    grids = {
        name: NumericSpec(np.empty(0)) if kind is Kind.NUMERIC else CategorySpec()
        for name, kind in KINDS.items()
    }
    return ProfileSpec(columns=grids, collectors=("expressions",), options={"expressions": texts})


def tally(text: str, *batches: Batch):
    profile = Profile(spec(text), BUILT_IN)
    for each in batches:
        profile.update(each)
    return profile.window().summaries["expressions"][text]


def answers(text: str, **columns: list) -> list:
    """One answer for each row: every row is a batch of its own."""
    found = []
    for row in zip(*columns.values(), strict=True):
        one = tally(
            text, batch(**{name: [value] for name, value in zip(columns, row, strict=True)})
        )
        found.append(one.mean if one.count else True if one.true else False if one.false else None)
    return found


NUMBER = st.recursive(
    st.sampled_from([*NUMBERS, "0.0", "1.0", "2.5", "-1.0"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner)
        | st.builds("abs({})".format, inner)
    ),
    max_leaves=4,
)
CONDITION = st.recursive(
    st.builds(
        "({} {} {})".format, NUMBER, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBER
    )
    | st.builds(
        "({} {} {})".format,
        st.sampled_from(TEXTS),
        st.sampled_from(["<", ">=", "==", "!="]),
        st.sampled_from(TEXTS),
    )
    | st.builds(
        "({} {} '{}')".format,
        st.sampled_from(TEXTS),
        st.sampled_from(["<", "==", "!="]),
        st.sampled_from("xyz"),
    )
    | st.builds(
        "({} is {})".format,
        st.one_of(NUMBER, st.sampled_from(TEXTS)),
        st.sampled_from(["null", "not null"]),
    )
    | st.builds("({} {} (1.0, 2.0))".format, NUMBER, st.sampled_from(["in", "not in"]))
    | st.builds("({} in ('x', 'é'))".format, st.sampled_from(TEXTS)),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=5,
)
ROW = st.tuples(
    *[st.sampled_from([None, math.nan, -1.0, 0.0, 1.0, 2.0, 2.5, 1e6])] * 2,
    *[st.sampled_from([None, "x", "y", "é", "xx"])] * 2,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(CONDITION, st.lists(ROW, min_size=1, max_size=12))
def test_conditions_mean_what_they_mean_in_sql(text, rows):
    """Three-valued logic, comparisons, lists and arithmetic agree with SQLite's, row by row."""
    text += " and (a is null or a is not null)"  # one that names no column is refused
    database = sqlite3.connect(":memory:")
    database.execute("create table t (a real, b real, u text, v text)")
    database.executemany("insert into t values (?, ?, ?, ?)", rows)
    said = [row[0] for row in database.execute(f"select {text} from t")]
    found = tally(
        text,
        batch(**dict(zip(("a", "b", "u", "v"), map(list, zip(*rows, strict=True)), strict=True))),
    )
    assert (found.true, found.false, found.unknown) == (
        said.count(1),
        said.count(0),
        said.count(None),
    )
    assert not found.reason


def test_calculations_have_moments():
    """A number of each row becomes count, mean and variance; a row without a result is unknown."""
    found = tally(
        "a - b",
        batch(a=[1.0, 5.0, None], b=[0.0, 1.0, 1.0]),
        batch(a=[2.0, math.inf], b=[0.0, math.inf]),
    )
    assert (found.rows, found.count, found.unknown) == (5, 3, 2)
    assert found.mean == pytest.approx(np.mean([1, 4, 2]), rel=1e-12)
    assert found.variance == pytest.approx(np.var([1, 4, 2], ddof=1), rel=1e-12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("near(a, b, 0.01)", [True, True, False, None]),
        ("between(a, 0, 100)", [True, True, True, None]),
        ("present()", [True, True, True, False]),
        ("present(a, u)", [True, True, True, False]),
        ("present(u)", [True] * 4),
        (r"matches(u, '\d{5}')", [True, False, False, True]),
        ("len(u) == 5", [True, False, True, True]),
        ("u in [12345]", [True, False, False, False]),
        ("u == 12345", [True, False, False, False]),
        ("u == true", [False, True, False, False]),
        ("a / (a - 1) > 0", [None, True, True, None]),
        ('column("a") - a == 0', [True, True, True, None]),
        ("0 <= a <= 1 < 2", [True, False, False, None]),
        ("len(u) + a > 5", [True, True, True, None]),
    ],
)
def test_what_each_form_says(text, said):
    """Functions, categories beside numbers, chains and divisions by zero."""
    columns = {
        "a": [1.0, 100.0, 2.0, None],
        "b": [1.0, 100.5, 1.9, 1.0],
        "u": ["12345", "1", "1234x", "00000"],
        "v": ["x"] * 4,
    }
    assert answers(text, **columns) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a == 0.1", True), ("a != 0.1", False), ("a <= 0.1", True), ("a > 0.1", False),
        ("0.1 >= a", True), ("a in [0.1, 7]", True), ("a >= 0.7", False), ("a == 0.100001", False),
    ],
)  # fmt: skip
def test_a_literal_is_equal_to_its_form_of_32_bits(text, said):
    """0.1 of a column of 32 bits is the 0.1 of an expression."""
    assert answers(text, a=[0.1, float(np.float32(0.1))]) == [said, said]


def test_infinite_values_are_values():
    """They compare, and are near nothing but themselves."""
    assert answers("near(a, b, 0.5)", a=[math.inf, math.inf, 1e308], b=[math.inf, 1.0, -1e308]) == [
        True,
        False,
        False,
    ]
    assert answers("a > 0", a=[math.inf, -math.inf]) == [True, False]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a := 1", "no expression"),
        ("a =", "ends too early"),
        ("a > 0 && b > 0", "write and"),
        ("a >", "no expression"),
        ("", "no expression"),
        ("1 > 2", "name a column"),
        ("a == null", "is null"),
        ("a is 3", "with null only"),
        ("a in b", "followed by a list"),
        ("a in [1, 'x']", "numbers only, or texts only"),
        ("floor(a) > 1", "no function 'floor'"),
        ("abs(a, b) > 1", "abs takes 1"),
        ("near(a, b, c)", "near takes"),
        ("matches(u, '(?=x)')", "no regular expression"),
        ("matches(u, 'a)|(b')", "no regular expression"),
        ("matches(u, v)", "in quotes"),
        ("u == r'x'", "plain quotes"),
        ("a > 1e999", "too large"),
        ("column(a) > 1", "name in quotes"),
        ("(" * 100 + "a" + ")" * 100 + " > 1 and " + "not " * 60 + "a > 1", "too deeply"),
        ("a > 1 or " * 300 + "a > 1", "characters at most"),
        ("().__class__", "can't stand"),
        ("a.__class__()", "can't stand"),
        ("__import__('os')", "no function"),
        ("[a for a in u]", "can't stand"),
        ("a[0] > 1", "can't stand"),
        ("(lambda: a)() > 1", "can't stand"),
        ("f'{a}' == 'x'", "can't stand"),
        ("a ** 1000000000 > 1", "can't stand"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_reason(text, why):
    """The author is told; nothing but the listed forms gets through."""
    with pytest.raises(ValueError, match=why):
        parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nowhere > 0", "no column 'nowhere'"),
        ("u > 3", "text is compared with a number"),
        ("a == 'x'", "a number is compared with text"),
        ("a and u == 'x'", "a is a number, where true or false is needed"),
        ("u + 1 > 2", "u is text, where a number is needed"),
        ("len(a) > 2", "a is a number, where text is needed"),
        ("a in ['x']", "no list of texts"),
        ("(a > 1) > (b > 1)", "no order"),
        ("u", "neither a condition nor a number"),
    ],
)
def test_what_does_not_fit_the_columns_is_unknown_with_its_reason(text, why):
    """The rows still count; the reason stands beside them."""
    assert why in misfit_reason(text, KINDS)
    found = tally(text, batch(a=[1.0], u=["x"]))
    assert (found.rows, found.unknown) == (1, 1)
    assert why in found.reason


def test_any_name_can_be_a_column():
    """Dots are part of a name, and quotes hold all others."""
    for name in ("Day Mins", 'a "b"', "class", "x'y", r"back\slash", "ünïcode"):
        assert parse(f"{quote_column(name)} > 1").args[0].value == name
    assert parse("payload.age > 1").args[0].value == "payload.age"
    with pytest.raises(ValueError, match="both kinds of quotes"):
        quote_column("'\"")


TEXT = (
    "number > 0",
    "number - 1",
    "word == 'a' or number is null",
    "matches(word, 'w[0-9]')",
    "word > 3",
)


def test_expressions_keep_the_laws_of_collectors():
    """Counts and moments merge to the same bytes in any order, and come back from their bytes."""
    told = replace(sample_spec("expressions"), options={"expressions": TEXT})
    assert_collector_contract(ExpressionCollector, told)


def test_a_spec_without_options_is_named_as_before():
    """Options are part of what a spec is called only where there are some, and come back from its
    bytes.
    """
    plain, late = replace(spec(), options={}), replace(spec(), options={}, joins="id")
    assert plain.digest == "2808ef7fbc928101"
    assert late.digest == "5d62b0d22c369700"
    for made in (plain, late, spec("a > 0"), replace(spec("a > 0"), joins="id")):
        back = ProfileSpec.from_bytes(made.to_bytes())
        assert (back.digest, back.options, back.joins) == (made.digest, made.options, made.joins)
    assert len({plain.digest, spec("a > 0").digest, spec("a > 1").digest}) == 3


@pytest.mark.parametrize(
    ("spelling", "plain"),
    [
        ("a = 1", "a == 1"),
        ("a <> 1", "a != 1"),
        ("a > 1 AND b < 2 OR NOT c = 3", "a > 1 and b < 2 or not c == 3"),
        ("u IN ('x', 'y')", "u in ['x', 'y']"),
        ("u IN ('x')", "u in ['x']"),
        ("u NOT IN ('x')", "u not in ['x']"),
        ("u IS NULL", "u is null"),
        ("u IS NOT NULL AND a = 1", "u is not null and a == 1"),
        ("`Day Mins` > 3", 'column("Day Mins") > 3'),
        ("tags.`my key` = 'x'", 'column("tags.my key") == "x"'),
        ("tags.`mlflow.source.name` = 'x'", 'column("tags.mlflow.source.name") == "x"'),
        ("params.\"max-depth\" = 'x'", 'column("params.max-depth") == "x"'),
        ("(a = 1 OR b = 2) AND c = 3", "(a == 1 or b == 2) and c == 3"),
        ("a=-1", "a == -1"),
    ],
)
def test_spellings_of_sql_mean_the_same(spelling, plain):
    """Those that MLflow has, and more."""
    assert parse(spelling) == parse(plain)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("u LIKE 'ab%'", [True, False, False, None]),
        ("u ILIKE 'AB%'", [True, False, True, None]),
        ("u NOT LIKE 'ab%'", [False, True, True, None]),
        ("u LIKE '_b.'", [False, False, False, None]),
        ("u like '%b.'", [True, True, False, None]),
        ("u ILIKE '_B_'", [False, False, True, None]),
    ],
)
def test_like_has_two_signs_for_any_text(text, result):
    """`%` is any text, `_` one character; all else is itself, also what a pattern could mean."""
    assert answers(text, u=["abb.", "bab.", "ABc", None]) == result


@pytest.mark.parametrize("name", ["and_", "like", "isin", "nothing", "OR_x", "inside"])
def test_a_column_may_have_the_name_of_an_operator(name):
    """Where an operator can't stand."""
    assert parse(f"{name} > 1").args[0].value == name
    assert parse(f"a > 1 and {name} > 1").args[1].args[0].value == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a > 1 and floor(b) > 2", "floor(b)"),
        ("a  =  1 and u IN v", "u IN v"),
        ("`x y` = 1 && b = 2", "&&"),
        ("u = 'é\\d' and b[0] > 1", "b[0]"),
        ("a > 1 and )", ")"),
        ("a > 1e999", "1e999"),
    ],
)
def test_a_mistake_has_its_place(text, words):
    """In the text as its author wrote it."""
    with pytest.raises(ExpressionError) as error:
        parse(text)
    start, end = error.value.place
    assert text[start:end] == words
