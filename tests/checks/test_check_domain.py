"""The domain check: texts outside a list, or of another form than asked for or learnt."""

import uuid

import pytest
import scipy.stats as ss
from driftline_plugins.checks.domain import FORMS, Domain
from profile_builder import categorical, context, judged, severity
from pydantic import ValidationError

from driftline import Window
from driftline.testing import context as whole
from driftline.testing import window


def measured(check, now, was=None, **schema):
    reference = None if was is None else Window(rows=len(was), columns={"x": categorical("x", was)})
    return list(
        check.evaluate(
            context(
                Window(rows=len(now), columns={"x": categorical("x", now)}), reference, **schema
            )
        )
    )


def test_a_pattern_matches_whole_texts():
    """A part that fits is not enough; the rate has the exact interval, and shows what does not
    fit.
    """
    now = ["12345"] * 90 + ["1234"] * 6 + ["123456"] * 3 + ["a12345"]
    found = measured(Domain(patterns={"x": "[0-9]{5}|none"}), now)[0]
    exact = ss.binomtest(10, 100).proportion_ci(0.95, "exact")
    assert found.value == 0.1
    assert found.interval == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert found.detail["outside"] == "1234, 123456, a12345"


def test_values_are_those_of_a_list():
    """Numbers and booleans of the configuration are the categories that they count as."""
    check = Domain(allowed={"x": ["DE", 1, 2.5, True]})
    found = measured(check, ["DE"] * 50 + ["1"] * 20 + ["2.5"] * 20 + ["FR"] * 10, ["DE", "FR"])[0]
    assert (found.value, found.was) == (0.1, 0.5)
    assert judged(check, found) == "changed"
    both = Domain(allowed={"x": ["DE", "de"]}, patterns={"x": "[A-Z]+"})
    assert measured(both, ["DE", "de", "AT", "DE"])[0].value == 0.5


def test_texts_beyond_the_bound_widen_the_interval():
    """Rows that were not looked at may conform or not, and the reason says how many there are."""
    now = [f"{place:05d}" for place in range(900)] + ["x"] * 100
    check = Domain(patterns={"x": "[0-9]+"}, learn=False)
    current = Window(rows=1000, columns={"x": categorical("x", now, bound=500)})
    found = next(check.evaluate(context(current)))
    low, high = found.interval
    assert "401 rows" in found.reason
    assert low == pytest.approx(ss.binomtest(100, 1000).proportion_ci(0.95, "exact").low, rel=1e-9)
    assert high == pytest.approx(
        ss.binomtest(501, 1000).proportion_ci(0.95, "exact").high, rel=1e-9
    )
    assert found.value == pytest.approx(100 / 599)


MAKE = {
    "uuid": lambda place: str(uuid.UUID(int=place)),
    "date": lambda place: f"20{place % 90 + 10}-0{place % 9 + 1}-1{place % 9}",
    "timestamp": lambda place: f"2026-01-0{place % 9 + 1}T10:{place % 60:02d}:00.5Z",
    "IPv4 address": lambda place: f"10.0.{place % 250}.{place // 250}",
    "e-mail address": lambda place: f"someone{place}@example.org",
    "URL": lambda place: f"s3://bucket/{place}",
    "digits": lambda place: f"{place}",
}


@pytest.mark.parametrize("form", list(FORMS))
def test_a_form_is_learnt_from_the_reference(form):
    """999 of 1,000 texts show it; a window in which a third have lost it is critical, one like the
    reference is ok.
    """
    was = [MAKE[form](place) for place in range(1999)] + ["unknown"]
    check = Domain()
    good = measured(check, was[:1000], was)[0]
    assert (good.value, good.detail["form"], judged(check, good)) == (0, form, "ok")
    bad = measured(check, was[:200] + ["lost"] * 100, was)[0]
    assert severity(check, bad) == "critical"


def test_what_has_no_form_is_left_alone():
    """Names, few categories and small references teach nothing; a redacted column shows no text."""
    names = [f"name {place}" for place in range(2000)]
    assert not measured(Domain(), names, names)
    assert not measured(Domain(), ["1", "2"] * 1000, ["1", "2"] * 1000)
    digits = [str(place) for place in range(2000)]
    assert not measured(Domain(), digits, digits[:900])
    assert not measured(Domain(learn=False), digits, digits)
    hidden = measured(Domain(), ["secret"] * 100, digits, redact=frozenset("x"))[0]
    assert hidden.value == 1
    assert "secret" not in str(hidden)


def test_what_has_no_domain_says_why():
    """Numeric and absent columns, and columns without values."""
    check = Domain(allowed={"n": [1], "nowhere": ["a"], "c": ["a"]})
    found = {
        m.labels["column"]: m.reason
        for m in check.evaluate(whole(window(n=[1.0, 1.0], c=[None, ""])))
    }
    assert "numeric column" in found["n"]
    assert "no such column" in found["nowhere"]
    assert "no values" in found["c"]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [("(", "no regular expression"), ("(?=a)", "no regular expression"), ("a)|(b", "no reg")],
)
def test_a_pattern_that_is_none_is_refused(pattern, why):
    """Where the configuration is read, with its place; look-around too, which RE2 lacks."""
    with pytest.raises(ValidationError, match="no regular expression") as caught:
        Domain(patterns={"zip": pattern})
    assert caught.value.errors()[0]["loc"] == ("patterns", "zip")


def test_a_hostile_pattern_costs_no_time():
    """What takes Python's own expressions years is one pass over the text."""
    found = measured(Domain(patterns={"x": "(a+)+b"}), ["a" * 200] * 50)[0]
    assert found.value == 1
