from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import at

from driftline import AlertFact, Severity
from driftline.extensions.phrasebook import installed_phrasebook
from driftline.kit.delivery import phrasing
from driftline.state.earlier_bounds import parse_earlier_bound

pytestmark = pytest.mark.postgres


def told(**given) -> AlertFact:
    whole = {
        "check": "c",
        "measurement": "psi",
        "state": "firing",
        "severity": Severity.WARNING,
        "since": at(0),
    }
    bound = parse_earlier_bound(given.get("reason", ""))
    return AlertFact(**{**whole, "bound": bound, **given})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10790.4, "10,790"), (180.26, "180"), (6.1, "6.1"), (0.314159, "0.314"), (12.345, "12.35"), (0.0, "0"), (-3, "-3"),
        (2.1e-6, "2.1e-06"), (1e300, "1e+300"), (None, "none"), (999.6, "1,000"),
    ],
)  # fmt: skip
def test_numbers(value, text):
    """Three digits that matter, thousands apart, no tail of zeros."""
    assert text == phrasing.number(value)


@pytest.mark.parametrize(
    ("value", "text"), [(0.31, "31%"), (0.004, "0.4%"), (0.0004, "<0.1%"), (0, "0%"), (1, "100%")]
)
def test_shares(value, text):
    """Shares are told in percent, and little is not nothing."""
    assert text == phrasing.share(value)


@pytest.mark.parametrize(
    ("alert", "text"),
    [
        (told(value=6.1, reason="above 0.25"), "PSI 6.1 (limit 0.25)"),
        (
            told(measurement="accuracy", value=0.71, was=0.84, reason="below 0.8"),
            "accuracy 0.84 → 0.71",
        ),
        (
            told(measurement="missing_rate", value=0.31, was=0.0, unit="share"),
            "missing in 31% of rows (usually 0%)",
        ),
        (
            told(measurement="outside_excess", value=0.03, detail={"low": 0, "high": None}),
            "outside 0 to any in 3% of rows",
        ),
        (
            told(measurement="staleness", value=3.0, detail={"age_seconds": 8040.0}),
            "no new record for 2 h 14 min",
        ),
        (told(measurement="constant", value=1.0), "only one value"),
        (
            told(
                measurement="type_changed",
                value=1.0,
                detail={"type": "words", "type_was": "numbers"},
            ),
            "words where numbers were",
        ),
        (told(measurement="stale", value=3.0), "the same counts as in the 3 windows before"),
        (told(measurement="new_column", value=1.0), "has values, it never had any before"),
        (
            told(measurement="unit_change", value=0.01, detail={"looks": "values look ÷100"}),
            "values look ÷100",
        ),
        (
            told(
                measurement="vanished_categories",
                value=0.15,
                unit="share",
                detail={"categories": "gold, free"},
            ),
            "gone: values that 15% of rows had: gold, free",
        ),
        (told(measurement="my_number", value=4, unit="points"), "my number 4 points"),
        (told(measurement="x", value=None, reason="no\nvalue"), "c: x: no value"),
        (told(measurement="drop", value=0.1), "drop 0.1"),
    ],
)
def test_figures(alert, text):
    """A measurement reads as a person would say it, and one that is unknown by its own name."""
    assert text == installed_phrasebook().figure(alert)


def test_measurements_of_a_column_are_one_line():
    """Five numbers about one column are one finding, with how the values moved first."""
    detail = {"mean_was": 180.0, "mean": 45.0, "shift_sd": -2.5}
    alerts = [
        told(labels={"column": "age"}, value=1, detail=detail),
        told(labels={"column": "age"}, measurement="ks", value=0.4),
    ]
    [line] = installed_phrasebook().lines(alerts)
    assert line.text == "age: mean 180 → 45 (÷4, -2.5 sd) · PSI 1 · KS 0.4"


def test_a_column_that_is_back_is_shown_beside_what_is_usual():
    """The number of now comes first, and what it is compared with is named."""
    detail = {"mean_was": 180.0, "mean": 182.0, "shift_sd": 0.02}
    alerts = [
        told(labels={"column": "age"}, value=0.01, detail=detail, state="resolved"),
        told(measurement="own_number", value=0.8, was=0.81, state="resolved"),
    ]
    column, model = installed_phrasebook().lines(alerts)
    assert column.text == "age: mean 182 now (usually 180) · PSI 0.01"
    assert model.text == "own number 0.8 now (usually 0.81)"


def test_a_mean_near_zero_has_no_factor():
    """From -0.02 to -0.28 of a spread of 1 is a small shift, not seventeen times as much."""
    detail = {"mean_was": -0.0167, "mean": -0.279, "shift_sd": -0.262}
    movement = phrasing.find_movement(told(labels={"column": "x"}, value=1, detail=detail))
    assert movement.sentence == "the mean went from -0.0167 to -0.279"


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(134, "2 h 14 min"), (60, "1 h"), (0, "0 min"), (1500, "1 d 1 h"), (1445, "1 d 5 min")],
)
def test_lengths_of_time(minutes, text):
    """The two largest units say enough."""
    assert text == phrasing.format_span_length(at(0), at(0) + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("yes", "yes"), (" yes", "“ yes”"), ("in review", "in review"), ("1\x00", "“1\\x00”"),
        ("no\u200b", "“no\\u200b”"), ("\xa0no", "“\\xa0no”"), ("ja\n", "“ja\\n”"), ("größer", "größer"),
    ],
)  # fmt: skip
def test_values_of_the_data_can_be_told_apart(value, text):
    """Spaces around a value and invisible characters show, also in a cleaned line."""
    assert phrasing.value_text(value) == text
    assert phrasing.clean(f"values: {text}") == f"values: {text}"


@given(st.text() | st.text(alphabet="\x00\n\x1b\u202e\ud800 é🦆"), st.integers(2, 300))
def test_clean_text_is_one_printable_line(text, limit):
    """Whatever comes in, what comes out is printable, on one line, within its bound, and cleaning
    it again changes nothing.
    """
    cleaned = phrasing.clean(text, limit)
    assert len(cleaned) <= limit
    assert all(char.isprintable() for char in cleaned)
    assert cleaned == phrasing.clean(cleaned, limit)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_has_words(value):
    """No finite number is too large, small or negative to be told."""
    assert 0 < len(phrasing.number(value)) <= 24


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            {"value": 3.0, "unit": "sd", "detail": {"smallest_seen": 1.5}},
            "shows from 1.5 on",
        ),
        (
            {"value": -3.0, "unit": "sd", "detail": {"smallest_seen": -1.5}},
            "shows from -1.5 down",
        ),
        (
            {"value": 0.3, "unit": "share", "detail": {"smallest_seen": 0.242}},
            "shows from 24% on",
        ),
        (
            {"measurement": "drop", "value": 0.5, "detail": {"smallest_seen": 0.062}},
            "shows from drop 0.062 on",
        ),
        # Numbers that are no change, with their usual value, or that of the reference.
        (
            {"value": 1.2, "unit": "sd", "detail": {"smallest_seen": 1.5, "usual": 1.0}},
            "shows from 1.5 on",
        ),
        (
            {"value": 0.9, "unit": "sd", "detail": {"smallest_seen": 0.5, "usual": 1.0}},
            "shows from 0.5 down",
        ),
        (
            {"value": -1.2, "unit": "sd", "was": -1.0, "detail": {"smallest_seen": -0.5}},
            "shows from -0.5 on",
        ),
        ({"value": 3.0, "state": "resolved", "detail": {"smallest_seen": 1.5}}, ""),
        ({"value": 3.0, "detail": {"smallest_seen": 1.5, "odds": 99.0}}, ""),
        ({"value": 3.0}, ""),
    ],
)
def test_an_alarm_says_what_would_have_been_seen(case, said):
    """In the number's own unit, once, and only while it fires."""
    assert installed_phrasebook().smallest_visible(told(**case)) == said


def test_a_check_may_measure_something_called_unsure():
    """Only the agent's own `unsure`, of the family monitoring, says that data are missing."""
    book = installed_phrasebook()
    assert book.figure(told(measurement="unsure", cause="drift", value=2.0)) == "unsure 2"
    assert book.noun(told(measurement="unsure", cause="monitoring")) == "too little data"
