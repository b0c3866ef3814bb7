"""The contract of checks: finite measurements on every window, and the same ones each time.

Does not test whether the numbers are right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from driftline.contracts.check import Check, CheckContext
from driftline.contracts.rule import Rule
from driftline.extensions.validate import validate_measurement
from driftline.testing.windows import context, window, window_of
from driftline.types.family import CHECK_FAMILIES
from driftline.types.model import Field, Kind, Measurement, Schema, Task

NAN, INF = float("nan"), float("inf")
NUMBERS: dict[str, list[Any]] = {
    "one row": [1.5],
    "two rows": [1.0, 2.0],
    "constant": [3.0] * 40,
    "nearly constant": [3.0] * 39 + [4.0],
    "all null": [None] * 40,
    "all NaN": [NAN] * 40,
    "infinite": [INF, -INF, *range(38)],
    "huge": [1e300, -1e300, 1e-300, *range(37)],
    "another type": ["a", "b", *map(str, range(38))],
    "plain": [float(value % 7) for value in range(40)],
    "moved": [float(value % 7) + 100 for value in range(40)],
}
WORDS: dict[str, list[Any]] = {
    "one row": ["a"],
    "two rows": ["a", "b"],
    "constant": ["a"] * 40,
    "nearly constant": ["a"] * 39 + [""],
    "all null": [None] * 40,
    "all NaN": ["a", None] * 20,
    "infinite": ["∞", "a"] * 20,
    "huge": [f"w{value}" for value in range(40)],
    "another type": ["a", "1"] * 20,
    "plain": ["a", "b", "c", "a"] * 10,
    "moved": ["x", "y", "z", "x"] * 10,
}
SCHEMA = Schema(
    features={
        "number": Field("number", "number", Kind.NUMERIC),
        "word": Field("word", "word", Kind.CATEGORICAL),
    },
    prediction=Field("says", "says", Kind.CATEGORICAL),
    score=Field("score", "score", Kind.NUMERIC),
    label=Field("truth", "truth", Kind.CATEGORICAL),
    task=Task.BINARY,
)


def assert_check(check: Check, unmeasured: Sequence[str] = ()) -> None:
    """Assert the contract of checks on unusual windows, with and without reference and labels.

    `unmeasured` are names of `default_rules` and `wordings` that the check yields on other windows
    only, such as those of a regression model.
    """
    assert check.cause in CHECK_FAMILIES, (
        f"{check.type}: cause is one of {', '.join(CHECK_FAMILIES)}"
    )
    assert all(isinstance(rule, Rule) for rule in check.default_rules.values()), (
        f"{check.type}: default_rules are rules"
    )
    assert all(isinstance(name, str) for name in check.collectors), (
        f"{check.type}: collectors are names"
    )
    texts = check.collector_options()
    assert all(isinstance(text, str) for name in texts for text in (name, *texts[name])), (
        f"{check.type}: collector_options are texts"
    )
    names = set[str]()
    for story, ctx in contexts(check):
        if not ctx.current.rows and not check.on_empty:
            continue
        first, second = _measure(check, story, ctx), _measure(check, story, ctx)
        assert first == second, (
            f"{check.type}: on {story} it measures something else the second time"
        )
        names.update(item.name or check.main or check.type for item in first)
    _assert_names(check, names, set(unmeasured))


def _assert_names(check: Check, names: set[str], unmeasured: set[str]) -> None:
    """Assert that the declared names are those of measurements."""
    for attribute in ("default_rules", "wordings"):
        for name in getattr(check, attribute):
            assert name in names | unmeasured, (
                f"{check.type}: {attribute} names '{name}', but on the windows of the contract "
                f"evaluate yields {', '.join(sorted(names)) or 'nothing'}; correct the name, or "
                f"pass unmeasured=('{name}',) if other windows lead to it"
            )
    assert not unmeasured & names, (
        f"{check.type}: unmeasured names {', '.join(sorted(unmeasured & names))}, "
        "which evaluate yields"
    )


def contexts(check: Check | None = None) -> Iterator[tuple[str, CheckContext]]:
    """Yield the contexts that a check may get, each with a name.

    They are summarised as `check` asks for.
    """
    for story in NUMBERS:
        current = _columns(story)
        yield (
            f"{story}, no reference",
            context(window_of(current, None, SCHEMA, check=check), schema=SCHEMA),
        )
        for reference_story in ("plain", story):
            reference = window_of(_columns(reference_story), None, SCHEMA, check=check)
            yield (
                f"{story} after {reference_story}",
                context(
                    window_of(current, reference, SCHEMA, check=check), reference, schema=SCHEMA
                ),
            )
    plain = window_of(_columns("plain"), None, SCHEMA, check=check)
    empty = window_of({name: [] for name in _columns("plain")}, None, SCHEMA, check=check)
    yield "no rows", context(empty, plain, schema=SCHEMA)
    yield "an empty reference", context(plain, empty, schema=SCHEMA)
    only = window(plain, check=check, number=NUMBERS["plain"])
    yield "a column that is missing", context(only, plain, schema=SCHEMA)
    yield "a column that is new", context(plain, only, schema=SCHEMA)
    yield "no columns at all", context(window(check=check), schema=Schema())
    history = {name: [40.0] * 30 for name in ("rows", "")}
    yield "a history", context(plain, plain, schema=SCHEMA, history=history)


def _columns(story: str) -> dict[str, list[Any]]:
    numbers, words = NUMBERS[story], WORDS[story]
    rows = range(len(numbers))
    scores = [None if story == "all null" else (row % 10) / 10 for row in rows]
    truth = [
        None if story == "all null" else str(row % 2) if story != "constant" else "1"
        for row in rows
    ]
    return {
        "number": numbers,
        "word": words,
        "says": ["1" if row % 3 == 0 else "0" for row in rows],
        "score": scores,
        "truth": truth,
    }


def _measure(check: Check, story: str, ctx: CheckContext) -> list[Measurement]:
    try:
        measurements = [validate_measurement(item) for item in check.evaluate(ctx)]
    except Exception as error:
        raise AssertionError(
            f"{check.type}: on {story}: {type(error).__name__}: {error}"
        ) from error
    keys = [(item.name, tuple(sorted(item.labels.items()))) for item in measurements]
    assert len(set(keys)) == len(keys), (
        f"{check.type}: on {story} two measurements have one name and the same labels"
    )
    return measurements
