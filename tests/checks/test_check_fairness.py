"""The fairness check: groups of a facet against all other rows, in a whole agent and by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from driftline_plugins.checks.fairness import Difference, Fairness
from station import MODEL, START, Station

from driftline.testing import assert_plugin_contract, context, window
from driftline.types.model import Field, Kind, Schema, Task

SCHEMA = Schema(
    features={"sex": Field("sex", "sex", Kind.CATEGORICAL)},
    prediction=Field("prediction", "prediction", Kind.CATEGORICAL),
    label=Field("label", "label", Kind.CATEGORICAL),
    task=Task.BINARY,
    segments=("sex",),
)


def rows(group: str, *counts: int) -> list[tuple[str, str, str]]:
    """Rows with (prediction, label) 11, 10, 01 and 00, in these numbers."""
    pairs = [("1", "1"), ("1", "0"), ("0", "1"), ("0", "0")]
    return [(group, *pair) for pair, count in zip(pairs, counts, strict=True) for _ in range(count)]


def one_window(table: list[tuple[str, str, str]], schema: Schema = SCHEMA):
    columns = list(zip(*table, strict=True)) if table else [[], [], []]
    return window(
        schema=schema, sex=columns[0], prediction=columns[1], label=columns[2], check=check()
    )


def check(**options: object) -> Fairness:
    return Fairness.model_validate({"facets": ["sex"], **options})


def measure(table: list[tuple[str, str, str]], reference=None, **options: object):
    """Measurements by name and group."""

    def segment(name: str):
        group = name.removeprefix("sex=")
        part = one_window([row for row in table if row[0] == group])
        before = reference and one_window([row for row in reference if row[0] == group])
        return part, before or None

    ctx = context(one_window(table), schema=SCHEMA)
    ctx = replace(ctx, segment=segment)
    return {
        (measurement.name, measurement.labels.get("group", "")): measurement
        for measurement in check(**options).evaluate(ctx)
    }


HANDBOOK = [*rows("A", 40, 10, 20, 30), *rows("B", 20, 5, 20, 55)]


def test_the_group_is_compared_with_all_other_rows():
    """The handbook's example; of two groups only the first of equal size is measured."""
    found = measure([*HANDBOOK, *rows("A", 0, 0, 0, 1)])
    difference = found["demographic_parity_difference", "B"]
    assert difference.value == pytest.approx(25 / 100 - 50 / 101)
    assert difference.interval[0] < difference.value < difference.interval[1]
    assert difference.detail["rate"] == 0.25
    assert ("demographic_parity_difference", "A") not in found


def test_each_of_three_groups_is_compared_with_the_other_two():
    """The others are all rows of all other groups."""
    found = measure([*HANDBOOK, *rows("C", 10, 40, 10, 40)], metrics=["accuracy_difference", "AD"])
    assert found["accuracy_difference", "C"].value == pytest.approx(0.5 - 0.725)
    assert found["AD", "C"].value == pytest.approx(0.725 - 0.5)
    assert {group for _, group in found} == {"A", "B", "C"}


def test_a_small_group_is_not_named_and_a_smaller_side_has_no_value():
    """Fewer than 10 rows could show who they are; fewer than 30 say too little."""
    found = measure(
        [*HANDBOOK, *rows("few", 3, 3, 3, 0), *rows("some", 10, 5, 5, 5)],
        metrics=["accuracy_difference"],
    )
    assert ("accuracy_difference", "few") not in found
    some = found["accuracy_difference", "some"]
    assert (some.value, some.reason) == (None, "the group: 25 of 30 labelled rows")


def test_against_parity_a_difference_is_judged_against_none():
    """`was` is 0 with `compare_with: parity`, else that of the reference."""
    reference = [*HANDBOOK, *rows("A", 1, 0, 0, 1)]
    found = measure(HANDBOOK, reference=reference, compare_with="parity")
    difference = found["demographic_parity_difference", "B"]
    assert (difference.was, difference.was_interval) == (0.0, (0.0, 0.0))
    found = measure(HANDBOOK, reference=reference)
    assert found["demographic_parity_difference", "B"].was == pytest.approx(0.25 - 0.5)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"segments": ()}, "list sex under schema.segments"),
        ({"task": Task.REGRESSION}, "fairness needs a model with two classes"),
    ],
)
def test_what_can_not_be_compared_has_a_reason(schema, reason):
    """The reason names the setting."""
    changed = replace(SCHEMA, **schema)
    current = one_window(HANDBOOK)
    measurements = list(check().evaluate(context(current, schema=changed)))
    assert {(m.value, m.reason) for m in measurements} == {(None, reason)}


def test_a_window_without_a_group_has_a_reason():
    """A facet without members."""
    [first, *_] = check().evaluate(context(one_window([]), schema=SCHEMA))
    assert (first.value, first.reason) == (None, "the window has no row with a group")


def test_conditional_disparity_asks_for_combined_segments():
    """CDDPL needs the facet and the third column together."""
    found = measure(HANDBOOK, metrics=["CDDPL"], strata="area")
    assert "columns: [sex, area]" in found["CDDPL", "A"].reason


def test_it_keeps_the_contract_of_plugins():
    """On any window there may be, it measures a finite number or says why there is none."""
    assert_plugin_contract(Fairness, facets=["word"], metrics=[*get_args(Difference)])


@pytest.mark.system
def test_a_group_that_is_treated_worse_is_reported_with_its_rates(tmp_path):
    """From the 9th day on fewer of group b are predicted positive: one incident names the group."""
    model = MODEL.replace(
        "features: {{amount: numeric, plan: categorical}}",
        "features: {{amount: numeric, plan: categorical}}\n"
        "      prediction: {{kind: binary, column: p}}\n      segments: [plan]",
    )
    start = model.index("    checks:")
    model = model[:start].replace("length: 1h, lateness: 15m, reopen_for: 12h", "length: 1d")
    model += "    checks: {{fairness: {{type: fairness, options: {{facets: [plan]}}}}}}\n"
    station = Station(tmp_path, model)

    def decide(row: dict[str, object], cut: float) -> int:
        return int(station.rng.random() < (cut if row["plan"] == "b" else 0.5))

    day = timedelta(days=1)
    station.write("reference.jsonl", START - day, day, 6000, p=lambda row: decide(row, 0.5))
    for number in range(14):
        cut = 0.3 if number >= 8 else 0.5
        station.write(
            f"log/{number:02d}.jsonl", START + number * day, day, 1500,
            p=lambda row, cut=cut: decide(row, cut),
        )  # fmt: skip
    station.clock.now = START + 14 * day + timedelta(hours=1)
    with station.open():
        station.tick()
        messages = station.told()
    [opening] = [note for note in messages if note["event"] == "opened"]
    assert opening["cause"] == "fairness"
    assert opening["alerts"][0]["labels"] == {"column": "plan", "group": "b"}
    assert opening["since"].startswith("2026-05-09")
    assert ", the others in " in opening["title"]
