"""Domain classifier, reconstruction and MMD: what they see that no single column shows, and what
they make of poor input.
"""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from driftline_plugins.checks.domain_classifier import DomainClassifier
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.mmd import MMD
from driftline_plugins.checks.reconstruction import Reconstruction
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import Field, Kind, Schema, Window
from driftline.kit.checks import sampled_rows
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.rowhash import hash_positions
from driftline.profiles.spec import NumericSpec, ProfileSpec
from driftline.testing import context, window
from driftline.testing.windows import window_of

pytestmark = pytest.mark.system

CHECKS = [DomainClassifier(), Reconstruction(), MMD()]
IDS = [check.type for check in CHECKS]
NAN, INF = float("nan"), float("inf")


def columns(seed, rows, broken=False):
    """Age and income that go together, a category that goes with age, and two columns of noise."""
    rng = np.random.default_rng(seed)
    age = rng.normal(45, 12, rows)
    income = 1000 * (0.95 * (age - 45) / 12 + 0.31 * rng.normal(size=rows)) + 3000
    plan = np.where(age + rng.normal(0, 3, rows) > 50, "gold", "free")
    if broken:
        income, plan = rng.permutation(income), rng.permutation(plan)
    found = {
        "age": age,
        "income": income,
        "plan": plan,
        "x": rng.normal(size=rows),
        "y": rng.exponential(1, rows),
    }
    return {name: values.tolist() for name, values in found.items()}


def measured(check, current, reference, **schema):
    (found,) = check.evaluate(
        replace(context(current, reference), schema=Schema(**schema))
        if schema
        else context(current, reference)
    )
    return found


def verdict(check, found):
    rule = check.default_rules.get(found.name)
    return rule.judge(found, found.rows, check.min_rows).verdict.value


REFERENCE = window_of(columns(0, 2_000))
SAME = window_of(columns(1, 1_500), REFERENCE)
BROKEN = window_of(columns(2, 1_500, broken=True), REFERENCE)


def test_a_broken_correlation_that_no_column_shows_is_found():
    """Age, income and plan lost each other: the checks of all columns see it, drift sees
    nothing.
    """
    for found in Drift().evaluate(context(BROKEN, REFERENCE)):
        if found.name in ("psi", "ks"):
            assert found.interval[0] < 0.02, found
    classifier, reconstruction, mmd = (measured(check, BROKEN, REFERENCE) for check in CHECKS)
    assert classifier.interval[0] > 0.65
    assert reconstruction.interval[0] > 1.1
    assert mmd.interval[0] > 0
    assert verdict(CHECKS[0], classifier) == verdict(CHECKS[1], reconstruction) == "changed"


def test_the_columns_behind_it_are_named():
    """The columns that broke come first; those of noise don't."""
    for check in CHECKS[:2]:
        names = measured(check, BROKEN, REFERENCE).detail["columns"].split(", ")
        assert set(names[:2]) <= {"age", "income", "plan"}
        assert len(names) <= 5
    assert 0 < measured(CHECKS[0], BROKEN, REFERENCE).detail["share"] <= 1


def test_another_sample_of_the_same_is_ok():
    """A window like its reference: AUC near a half, ratio near 1, MMD² near 0, and ok where a rule
    says so.
    """
    classifier, reconstruction, mmd = (measured(check, SAME, REFERENCE) for check in CHECKS)
    assert classifier.interval[0] < 0.5 < classifier.interval[1]
    assert reconstruction.interval[0] < 1 < reconstruction.interval[1]
    assert mmd.interval[0] == 0
    assert mmd.value < 0.005
    assert verdict(CHECKS[0], classifier) == verdict(CHECKS[1], reconstruction) == "ok"
    assert classifier.p_value > 0.05


@pytest.mark.parametrize(
    ("check", "effect"), list(zip(CHECKS, (0.5, 1.0, 0.0), strict=True)), ids=IDS
)
def test_a_window_that_is_its_reference_has_no_effect(check, effect):
    """Identical data: exactly no effect, and ok."""
    found = measured(check, REFERENCE, REFERENCE)
    assert found.value == effect
    if check.default_rules:
        assert verdict(check, found) == "ok"


def test_a_moved_column_is_found_and_named():
    """What single columns show, these see too."""
    moved = columns(3, 1_000)
    moved["x"] = [value + 2 for value in moved["x"]]
    now = window_of(moved, REFERENCE)
    assert measured(CHECKS[0], now, REFERENCE).detail["columns"].startswith("x")
    assert measured(CHECKS[2], now, REFERENCE).interval[0] > 0.01


def test_a_variance_that_collapsed_lowers_the_error():
    """Rows that all sit in the middle are nearer to the components: below, and not fine."""
    calm = {
        name: [0.5 * v + 0.5 * np.mean(values) for v in values]
        for name, values in columns(4, 600).items()
        if name != "plan"
    }
    found = measured(CHECKS[1], window_of(calm, REFERENCE), REFERENCE)
    assert found.interval[1] < 0.8
    assert verdict(CHECKS[1], found) == "unsure"
    assert found.detail["error"] < found.detail["error_was"]


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_rows_in_another_order_or_in_parts_are_the_same(check):
    """Whatever the order of rows and of merging, the sample is the same, and so is what is
    measured.
    """
    spec = ProfileSpec(
        columns={name: NumericSpec(np.empty(0)) for name in "ab"},
        collectors=("sample",),
        sample_rows=120,
    )
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(900, 2))
    hashes = hash_positions(7, 0, 900)

    def profile(places):
        made = Profile(spec, BUILT_IN)
        made.update(
            Batch(
                rows=len(places),
                columns={n: pa.array(rows[places, i]) for i, n in enumerate("ab")},
                hashes=hashes[places],
            )
        )
        return made

    whole, parts = (
        profile(np.arange(400)),
        [profile(part) for part in np.array_split(rng.permutation(400), 3)],
    )
    parts[2].merge(parts[0])
    parts[2].merge(parts[1])
    reference = profile(np.arange(400, 900)).window()
    schema = {"features": {name: Field(name, name, Kind.NUMERIC) for name in "ab"}}
    assert measured(check, parts[2].window(), reference, **schema) == measured(
        check, whole.window(), reference, **schema
    )


def test_id_time_version_and_label_never_take_part():
    """What tells old from new for nothing is left out, as is what the settings ignore or do not
    list.
    """
    ref, cur = columns(6, 300), columns(7, 300)
    ref |= {
        "when": list(range(300)),
        "key": [f"k{row}" for row in range(300)],
        "truth": [0.0] * 300,
        "seen": [0.0] * 300,
    }
    cur |= {
        "when": list(range(900, 1200)),
        "key": ["z"] * 300,
        "truth": [1.0] * 300,
        "seen": [1.0] * 300,
    }
    reference = window_of(ref)
    current = window_of(cur, reference)
    schema = {
        "timestamp": Field("when", "when"),
        "id": Field("key", "key"),
        "label": Field("truth", "truth", Kind.NUMERIC),
    }
    assert (
        measured(DomainClassifier(), current, reference, **schema)
        .detail["columns"]
        .startswith("seen")
    )
    for check in (
        DomainClassifier(ignore=("seen",)),
        DomainClassifier(columns=("age", "income", "key")),
    ):
        assert measured(check, current, reference, **schema).value < 0.6
    both = sampled_rows.select_samples(
        replace(context(current, reference), schema=Schema(**schema)), ("key", "age", "nowhere")
    )
    assert list(both.current) == ["age"]


def test_a_redacted_column_is_not_seen():
    """The values of a redacted column enter no sample, so nothing is told of it."""
    schema = Schema(
        features={n: Field(n, n, Kind.NUMERIC) for n in ("a", "b", "c")}, redact=frozenset({"c"})
    )
    rng = np.random.default_rng(8)
    reference = window(schema=schema, a=rng.normal(size=200), b=rng.normal(size=200), c=[0.0] * 200)
    current = window(
        reference, schema=schema, a=rng.normal(size=200), b=rng.normal(size=200), c=[1.0] * 200
    )
    assert measured(DomainClassifier(), current, reference).value < 0.65


def test_unseen_categories_and_new_gaps_are_seen():
    """A category that the reference lacks, or values that go missing, tell the window from the
    reference.
    """
    ref, cur = columns(9, 500), columns(10, 500)
    reference = window_of(ref)
    for change in (
        {"plan": ["platinum"] * 200 + cur["plan"][200:]},
        {"x": [None] * 200 + cur["x"][200:]},
    ):
        found = measured(DomainClassifier(), window_of(cur | change, reference), reference)
        assert found.interval[0] > 0.6
        assert found.detail["columns"].split(", ")[0] == next(iter(change))


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_a_segment_is_a_window_like_any_other(check):
    """The rows of a segment are compared with those of the same segment."""
    gold = window_of({"x": columns(11, 300)["x"], "y": columns(11, 300)["y"]}, segment="plan=gold")
    other = window_of(
        {"x": columns(12, 300)["x"], "y": columns(12, 300)["y"]}, gold, segment="plan=gold"
    )
    found = measured(check, other, gold)
    assert found.rows == 300
    assert found.value is not None


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_where_there_is_nothing_to_compare_the_reason_is_told(check):
    """No reference, no sample on a side, no column in common, too few rows: no value, and why."""
    bare = Window(rows=50)
    for current, reference, reason in (
        (SAME, None, "no reference"),
        (bare, REFERENCE, "no sample of the window"),
        (SAME, bare, "no sample of the reference"),
        (window(u=[1.0, 2.0]), REFERENCE, "no such columns in common"),
        (
            SAME,
            window(REFERENCE, age=[1.0], income=[2.0], plan=["gold"], x=[0.0], y=[0.0]),
            "needs|varies",
        ),
        (window(a=[None] * 20, b=[3.0] * 20), window(a=[None] * 20, b=[3.0] * 20), "varies|vary"),
    ):
        found = measured(check, current, reference)
        assert found.value is None
        assert any(part in found.reason for part in reason.split("|")), found.reason


def test_few_rows_are_unsure():
    """Ninety-nine rows are one too few."""
    found = measured(CHECKS[0], window_of(columns(13, 99), REFERENCE), REFERENCE)
    assert found.rows == 99
    assert verdict(CHECKS[0], found) == "unsure"


def test_permutations_give_the_p_value_that_is_asked_for():
    """Never 0, the same for the same seed; without asking, mmd has none and the classifier's is by
    the normal law.
    """
    now, was = window_of(columns(14, 60, broken=True)), window_of(columns(15, 60))
    for check in (MMD(permutations=199), DomainClassifier(permutations=199)):
        first, again = (measured(check, now, was) for _ in range(2))
        assert first == again
        assert first.p_value * 200 == pytest.approx(round(first.p_value * 200))
        assert 1 / 200 <= first.p_value <= 0.05
    assert measured(MMD(), now, was).p_value is None
    with pytest.raises(ValueError, match="199"):
        MMD(permutations=100)


VALUES = st.sampled_from(
    [
        [None] * 30,
        [NAN] * 30,
        [INF, -INF] * 15,
        [3.0] * 30,
        [3.0] * 29 + [4.0],
        [1e150, -1e150] * 15,
        [1e300, 1.0, None] * 10,
        [1e-300, 2e-300, 0.0] * 10,
        [2.0**53, 2.0**53 + 2] * 15,
        [0.0, 1.0] * 15,
        list(np.linspace(-1, 1, 30)),
        ["a"] * 30,
        ["a", "b", None] * 10,
        ["<script>", "x" * 500, ""] * 10,
        [f"k{row}" for row in range(30)],
    ]
)


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_input_breaks_a_check(check, data):
    """Null, constant, one category, huge, tiny, unseen, of another kind, one row, in any company: a
    value or a reason.
    """
    was, now = (
        {name: data.draw(VALUES) for name in "abc"[: data.draw(st.integers(1, 3))]}
        for _ in range(2)
    )
    cut = data.draw(st.sampled_from([1, 2, 9, 11, 30]))
    reference = window_of(
        {
            name: values[: data.draw(st.sampled_from([1, 11, 30]))]
            for name, values in list(was.items())[:1]
        }
    )
    if data.draw(st.booleans()):
        reference = window_of(was)
    current = window_of({name: values[:cut] for name, values in now.items()})
    found = measured(check, current, reference)
    numbers = [
        found.value,
        found.p_value,
        *(found.interval or ()),
        *(v for v in found.detail.values() if isinstance(v, float)),
    ]
    assert all(number is None or np.isfinite(number) for number in numbers)
    assert found.value is not None or found.reason
    assert found.interval is None or found.interval[0] <= found.value <= found.interval[1]


def test_an_hour_of_events_is_no_matter_of_time():
    """A window's start and end play no part: the check is a function of the two samples."""
    later = replace(
        SAME, start=datetime(2030, 1, 1, tzinfo=UTC), end=datetime(2030, 1, 1, 1, tzinfo=UTC)
    )
    for check in CHECKS:
        assert measured(check, later, REFERENCE) == measured(check, SAME, REFERENCE)
