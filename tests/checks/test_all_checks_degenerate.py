"""Every check there is on every window there may be: a value or a reason, the same however its
profiles were merged.

The checks are those of the registry, so a new one is covered once it has an entry point.
"""

import math
import warnings
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.contracts.check import CheckContext
from driftline.evaluate.check_plan import CheckPlan, collector_requests
from driftline.extensions import Registry
from driftline.extensions.validate import validate_measurement
from driftline.ingest.columns.canonical import split_by_segment, to_categorical, to_numeric
from driftline.ingest.columns.derived import derive
from driftline.ingest.columns.label_set_names import list_texts, to_label_sets
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.rowhash import hash_strings
from driftline.profiles.spec import make_spec
from driftline.testing.windows import HOUR, START, context
from driftline.types.model import DERIVED, Field, Kind, Schema, ServiceColumns, Task
from driftline.types.settings import field_descriptions

pytestmark = pytest.mark.system

REGISTRY = Registry.load()
COLLECTORS = BUILT_IN | REGISTRY.collectors()
SETTINGS = {
    "rules": {
        "expressions": {
            "a": "x > 0",
            "b": "c == 'a' or x is null",
            "c": "nowhere > 1",
            "d": "x / y >= 0 and c < 'b'",
        }
    },
    "completeness": {"sets": {"some": ["x", "c"], "odd": ["nowhere"]}, "rows_promised": 50},
    "skew": {"pairs": {"x": "y", "c": "p", "s": "nowhere"}, "tolerance": {"x": 0.5}},
    "uniqueness": {"keys": ["x", "c", "nowhere"]},
    "domain": {"patterns": {"c": "[ab]", "x": "a"}, "allowed": {"p": ["0", True], "nowhere": []}},
    "other_tool": {"like": "vertex"},
    "business_value": {
        "values": {"tp": 5.0, "fp": -1.0},
        "expressions": {"a": "x * 2", "b": "x > y", "c": "nowhere + 1"},
    },
    "service_health": {"slo": {"availability": 99.9, "latency": {"below": "1s", "share": 99}}},
    "fairness": {"facets": ["c", "nowhere"], "metrics": ["accuracy_difference", "DI", "CDDPL"]},
    "flip_test": {"facets": ["c", "nowhere"]},
    "range": {"limits": {"x": {"low": 0.5, "high": 1}}},
    "constraints": {
        "features": {
            "x": {"type": "integral", "non_negative": True},
            "c": {"type": "string", "domain": ["a"]},
        }
    },
}
"""What checks need, or may be told, beside their defaults, which are looked at too."""
CHECKS = {
    f"{name}{' told' if told else ''}": kind(**told)
    for (what, name), kind in sorted(REGISTRY.types.items())
    if what == "check"
    for told in ([{}, SETTINGS[name]] if name in SETTINGS else [{}])
    if told or not any(field.is_required() for field in kind.model_fields.values())
}
N, NAN, INF = 120, float("nan"), float("inf")
NUMBERS = {
    "plain": np.linspace(-2, 3, N).tolist(),
    "moved": np.linspace(98, 103, N).tolist(),
    "constant": [3.0] * N,
    "ties": [0.0, 1.0, 1.0] * (N // 3),
    "all null": [None] * N,
    "NaN": [NAN] * N,
    "infinite": [INF, -INF, 1.0] * (N // 3),
    "huge": [1e300, -1e150, 1e-300] * (N // 3),
    "text": [f"w{place}" for place in range(N)],
    "some text": ["a", "1", "2.5"] * (N // 3),
    "absent": None,
}
WORDS = {
    "plain": ["a", "b", "a", "c"] * (N // 4),
    "moved": ["x", "y"] * (N // 2),
    "one class": ["a"] * N,
    "rare": ["a"] * (N - 1) + ["b"],
    "all null": [None] * N,
    "all different": [f"word-{place}" for place in range(N)],
    "numbers": [str(place % 3) for place in range(N)],
    "long": ["é" * 500, "a", ""] * (N // 3),
    "lists": "nested",
    "absent": None,
}
TEXTS = {
    "plain": [f"some words of text number {place % 50}" for place in range(N)],
    "new": [f"quite unlike {place} 👍 it" for place in range(N)],
    "one": ["the same"] * N,
    "empty": ["", " ", None] * (N // 3),
    "all null": [None] * N,
    "lists": [["a"]] * N,
    "absent": None,
}
VECTORS = {
    "plain": np.random.default_rng(5).normal(size=(N, 3)).tolist(),
    "moved": (np.random.default_rng(6).normal(size=(N, 3)) + 5).tolist(),
    "one": [[1.0, 2.0, 3.0]] * N,
    "zero": [[0.0] * 3] * N,
    "holes": [[1.0, NAN, INF], [None, 1.0, 2.0]] * (N // 2),
    "ragged": [[1.0] * (place % 5) for place in range(N)],
    "text": ["[1, 2, 3]", "[1, 2, 4.5]", "none"] * (N // 3),
    "numbers": [1.0] * N,
    "all null": [None] * N,
    "absent": None,
}
LABELS = {
    "both": ["0", "1"] * (N // 2),
    "one class": ["1"] * N,
    "unseen": ["0", "1", "what"] * (N // 3),
    "absent": None,
}
IDS = {
    "each": [f"id-{place}" for place in range(N)],
    "twice": [f"id-{place // 2}" for place in range(N)],
    "one": ["same"] * N,
}
IDS |= {"none": [None] * N, "absent": None}
SIDE = st.fixed_dictionaries(
    {
        "x": st.sampled_from(sorted(NUMBERS)),
        "y": st.sampled_from(["plain", "constant", "all null", "absent"]),
        "c": st.sampled_from(sorted(WORDS)),
        "p": st.sampled_from(["plain", "numbers", "one class", "absent"]),
        "s": st.sampled_from(["scores", "constant", "all null", "absent"]),
        "t": st.sampled_from(sorted(TEXTS)),
        "e": st.sampled_from(sorted(VECTORS)),
        "l": st.sampled_from(sorted(LABELS)),
        "id": st.sampled_from(sorted(IDS)),
        "rows": st.sampled_from([0, 1, 2, 35, N]),
    }
)
PAST = [[], [0.0] * 40, [40.0] * 40, [1e12, 0.0] * 20, [1.0, 2.0]]


def batch(side, model: Schema) -> Batch:
    """The rows of one side, cast as the agent casts them."""
    rows, columns, invalid = side["rows"], {}, {}
    scores = {"scores": np.linspace(0, 1, N).tolist()}
    pools = {
        "x": NUMBERS,
        "y": NUMBERS,
        "c": WORDS,
        "p": WORDS,
        "s": NUMBERS | scores,
        "t": TEXTS,
        "e": VECTORS,
        "l": LABELS,
    }
    for part in model.parts:
        place = {"#latency": "x", "#cost": "y", "#status": "c", "#error": "p"}.get(
            part.name, part.name
        )
        values = pools[place][side[place]] if part.kind is not None else None
        if values is None:
            continue
        raw = (
            pa.array([["a"]] * rows)
            if values == "nested"
            else pa.array([values[place] for place in range(rows)])
        )
        if part.kind in DERIVED:
            made, wrongs = derive(part, raw)
            columns, invalid = columns | made, invalid | wrongs
            continue
        is_set = model.task is Task.MULTILABEL and part.name in ("p", "l")
        columns[part.name], wrong = (
            to_label_sets(*to_categorical(list_texts(raw)))
            if is_set
            else to_numeric(raw)
            if part.kind is Kind.NUMERIC
            else to_categorical(raw)
        )
        if wrong is not None:
            invalid[part.name] = wrong
    ids = IDS[side["id"]] or ["absent"] * N
    start = int(START.timestamp() * 1e6)
    events = start + np.arange(rows, dtype=np.int64)
    return Batch(
        rows=rows,
        columns=columns,
        invalid=invalid,
        events=events,
        hashes=hash_strings(pa.array(ids[:rows], pa.string())),
    )


def schema(task, with_id: bool) -> Schema:
    """All columns, each in its part."""
    said = Kind.NUMERIC if task in (Task.REGRESSION, Task.RANKING) else Kind.CATEGORICAL
    features = {
        "x": Kind.NUMERIC,
        "y": Kind.NUMERIC,
        "c": Kind.CATEGORICAL,
        "t": Kind.TEXT,
        "e": Kind.EMBEDDING,
    }
    if task is not Task.BINARY:
        features["s"] = Kind.NUMERIC
    return Schema(
        features={
            name: Field(name, name, kind, 3 if kind is Kind.EMBEDDING else 0)
            for name, kind in features.items()
        },
        id=Field("id", "id") if with_id else None,
        prediction=Field("p", "p", said),
        score=Field("s", "s", Kind.NUMERIC) if task is Task.BINARY else None,
        label=Field("l", "l", said),
        task=task,
        service=ServiceColumns(
            latency=Field("#latency", "x", Kind.NUMERIC),
            status=Field("#status", "c", Kind.CATEGORICAL),
            error=Field("#error", "p", Kind.CATEGORICAL),
            cost=Field("#cost", "y", Kind.NUMERIC),
        ),
        segments=("c",),
        redact=frozenset("p"),
    )


def spec_of(model: Schema, side, plans) -> object:
    """The spec that a reference of these rows makes for all checks at once."""
    numeric, categorical = {}, {}
    if side is not None:
        for name, array in batch(side, model).columns.items():
            if isinstance(array, pa.DictionaryArray):
                names, counts = np.unique(
                    array.drop_null().cast(pa.string()).to_pylist(), return_counts=True
                )
                categorical[name] = dict(zip(names.tolist(), counts.tolist(), strict=True))
            elif array.type == pa.float64():
                values = array.drop_null().to_numpy(zero_copy_only=False)
                numeric[name] = values[np.abs(values) <= 1e150]
    needed = {name for plan in plans for name in plan.check.collectors}
    collectors = (
        "numeric",
        "categories",
        "scores",
        *sorted(needed - {"numeric", "categories", "scores"}),
    )
    return make_spec(model, numeric, categorical, collectors, options=collector_requests(plans))


def merged(parts, spec, order) -> Profile:
    """One profile of several batches, each read by itself, kept as bytes and merged in this
    order.
    """
    kept = []
    for part in parts:
        profile = Profile(spec, COLLECTORS)
        profile.update(part)
        kept.append(profile.to_bytes())
    whole = Profile(spec, COLLECTORS)
    for place in order:
        whole.merge(Profile.from_bytes(kept[place], spec, COLLECTORS))
    return whole


def pieces(rows: Batch, segment: bool) -> list[Batch]:
    """The rows in three parts; of the segment alone when asked for."""
    if segment:
        rows = next(
            (part for name, part in split_by_segment(rows, ("c",), {"c": frozenset("a")})),
            rows_of(rows, 0, 0),
        )
    cuts = [0, rows.rows // 3, rows.rows // 2, rows.rows]
    return [rows_of(rows, begin, end) for begin, end in pairwise(cuts)]


def rows_of(rows: Batch, begin: int, end: int) -> Batch:
    columns = {name: array.slice(begin, end - begin) for name, array in rows.columns.items()}
    wrong = {name: flags[begin:end] for name, flags in rows.invalid.items()}
    return Batch(
        rows=end - begin,
        columns=columns,
        invalid=wrong,
        events=rows.events[begin:end],
        hashes=rows.hashes[begin:end],
    )


def measured(name, check, ctx: CheckContext) -> list:
    """The measurements of a check, each sound."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [validate_measurement(item) for item in check.evaluate(ctx)]
    assert len({(m.name, tuple(sorted(m.labels.items()))) for m in found}) == len(found), name
    for m in found:
        numbers = [
            m.value,
            m.p_value,
            m.was,
            *(m.interval or ()),
            *(v for v in m.detail.values() if isinstance(v, float)),
        ]
        assert all(number is None or math.isfinite(number) for number in numbers), (name, m)
        assert m.value is not None or m.reason, (name, m)
        assert m.value is None or m.interval is None or m.interval[0] <= m.value <= m.interval[1], (
            name,
            m,
        )
        rule = check.default_rules.get(m.name)
        assert rule is None or rule.judge(
            m, ctx.current.rows if m.rows is None else m.rows, check.min_rows
        ), (name, m)
    return found


def test_no_check_is_left_out():
    """A check that has options without a default needs valid ones in SETTINGS."""
    left_out = {name for what, name in REGISTRY.types if what == "check"} - {
        check.type for check in CHECKS.values()
    }
    assert not left_out, (
        f"{', '.join(sorted(left_out))}: has options without a default; "
        "add valid ones to SETTINGS in this file"
    )


def test_every_check_measures_something():
    """With its own settings or with those in the table above, so that the property below is not
    about nothing.
    """
    side = {
        "x": "plain",
        "y": "plain",
        "c": "plain",
        "p": "plain",
        "s": "scores",
        "l": "both",
        "id": "each",
        "rows": N,
    }
    side |= {"t": "plain", "e": "plain"}
    model, plans = (
        schema(Task.BINARY, True),
        [CheckPlan(name=name, check=check) for name, check in CHECKS.items()],
    )
    profile = merged([batch(side, model)], spec_of(model, side, plans), [0])
    now = profile.window(start=START, end=START + HOUR)
    silent = {check.type for check in CHECKS.values()}
    for name, check in CHECKS.items():
        if measured(name, check, context(now, now, schema=model)):
            silent.discard(check.type)
    assert not silent, f"give {', '.join(sorted(silent))} settings in SETTINGS"


@settings(max_examples=50, deadline=None, derandomize=True)
@given(SIDE, st.one_of(st.none(), SIDE), st.permutations([0, 1, 2]), st.booleans(), st.data())
def test_no_window_breaks_a_check_and_no_order_of_merging_shows(
    current, reference, order, segment, data
):
    """Constant, single row, null, ties, one class, unseen class, empty, another kind, absent,
    segments, no reference.
    """
    model = schema(data.draw(st.sampled_from([None, *Task])), data.draw(st.booleans()))
    plans = [CheckPlan(name=name, check=check) for name, check in CHECKS.items()]
    spec = spec_of(model, reference, plans)
    past = data.draw(st.sampled_from(PAST))
    named = {"segment": "c=a"} if segment else {}
    was = None
    if reference is not None:
        was = merged(pieces(batch(reference, model), segment), spec, [0, 1, 2]).window(
            version="reference", **named
        )
    last = data.draw(st.sampled_from([None, START - timedelta(days=9), START + HOUR]))
    seen = []
    for how in ([0, 1, 2], order):
        now = merged(pieces(batch(current, model), segment), spec, how).window(
            start=START, end=START + HOUR, last_seen=last, **named
        )
        history = dict.fromkeys(("rows", "fingerprint", ""), past)
        ctx = context(now, was, schema=model, history=history, seed=7)
        seen.append(
            {
                name: measured(name, check, ctx)
                for name, check in CHECKS.items()
                if now.rows or check.on_empty
            }
        )
    first, second = seen
    for name, found in first.items():
        assert found == second[name], name


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_says_what_it_is(name):
    """Its cause, main measurement, collectors and degenerate answers are declared and
    documented.
    """
    check = CHECKS[name]
    assert check.cause in {"drift", "quality", "service", "performance", "fairness", "business"}
    assert check.collectors <= COLLECTORS.keys()
    assert "| input | answer |" in type(check).__doc__
    assert field_descriptions(type(check)).keys() == type(check).model_fields.keys()
