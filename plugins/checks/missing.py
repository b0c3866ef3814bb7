"""Measures missing and unusable values, and finds columns that stopped varying.

Does not explain why values are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Column,
    Measurement,
    NumericColumn,
    above,
    hookimpl,
    stats,
    unusual,
)
from driftline.kit.checks import Wording, phrasing, plain_words
from driftline.kit.checks.identifiers import find_identifier

ALIKE = 1e-6
"""The chance below which equal values count as stuck.

It is the chance that as many rows of the reference would all be equal.
"""


def _gap(alert: AlertFact) -> str:
    """Return `missing`, or what else leaves a row without a value that can be used."""
    share, invalid = alert.detail.get("missing", alert.value), alert.detail.get("invalid")
    if isinstance(share, float) and isinstance(invalid, float) and 2 * invalid >= share:
        return "missing or of the wrong type"
    return "missing"


def _past(noun: str, rate: str | float | None) -> str:
    """Return `it was missing in 36% of rows`; empty where the rate is not known."""
    text = phrasing.share_of_rows(noun, rate)
    return text and f"it was {text}"


def _all_rows(alert: AlertFact) -> str:
    return f"all {alert.rows:,} rows in the newest window" if alert.rows else ""


class Missing(Check):
    """Measures missing and invalid values of each column, and columns with one value only.

    missing_rate is the share of rows without a value (null or NaN). missing_increase is that rate
    less the reference's (0.05 is five points more), with Newcombe's interval. invalid_rate is the
    share of values of another type; they count as missing, too. constant is 1 when all values are
    equal while the reference varies, and the chance that so many rows of the reference are equal is
    below one in a million. The label is left out.

    | input | answer |
    | --- | --- |
    | no reference, or column not in it | no missing_increase, no constant, with the reason |
    | prediction or score that the reference never has | the same |
    | column not in the window | missing_rate 1 |
    | all null | missing_rate 1; constant without value |
    | the same counts on both sides | missing_increase 0, with the interval 0 to 0 |
    | constant reference, one row | constant 0 |
    | one value, that of a date or a counter | no constant, with the reason |
    | no rows | no values |
    """

    type = "missing"
    cause = "quality"
    main = "missing_rate"
    default_rules: ClassVar = {
        "missing_rate": unusual(
            scale="odds", info=0.2, warning=1.0, critical=3.0, obvious=0.1, neutral=None
        ),
        "missing_increase": above(critical=0.20),
        "invalid_rate": above(warning=0.05, critical=0.20),
        "constant": above(warning=0.5),
    }
    min_rows = 30
    default_for: ClassVar = frozenset()
    default_place = 30
    wordings: ClassVar = {
        "missing_rate": Wording(
            sentence=lambda alert: phrasing.share_of_rows(_gap(alert), alert.value, alert.was),
            past=lambda alert: _past(_gap(alert), alert.value),
        ),
        "missing_increase": Wording(
            sentence=lambda alert: phrasing.share_of_rows(
                _gap(alert), alert.detail.get("missing"), alert.detail.get("missing_was")
            ),
            extent=lambda alert: plain_words.count_rows(
                alert.detail.get("missing"), alert.rows, alert.detail.get("missing_was")
            ),
            past=lambda alert: _past(_gap(alert), alert.detail.get("missing")),
            hides_value=True,
        ),
        "invalid_rate": Wording(
            sentence=lambda alert: phrasing.share_of_rows("wrong type", alert.value, alert.was),
            past=lambda alert: _past("of the wrong type", alert.value),
        ),
        "constant": Wording(
            sentence=lambda alert: "only one value" if alert.value == 1 else "",
            headline=lambda alert: (
                "the same value in all rows (usually several values)" if alert.value == 1 else ""
            ),
            extent=_all_rows,
            past=lambda alert: "it had only one value",
        ),
    }

    columns: tuple[str, ...] = ()
    """The columns to check; when empty, all except the label."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield three or four measurements for each column."""
        label = ctx.schema.label.name if ctx.schema.label else None
        outputs = {part.name for part in (ctx.schema.prediction, ctx.schema.score) if part}
        references = dict(ctx.reference.columns) if ctx.reference else {}
        for name in dict.fromkeys(
            self.columns
            or [name for name in dict(ctx.current.columns) | references if name != label]
        ):
            reference, current = references.get(name), ctx.current.columns.get(name)
            if reference is not None and not reference.rows:
                reference = None
            if reference is not None and name in outputs and reference.missing == reference.rows:
                reference = None  # training data without the outputs of the model
            labels, rows = {"column": name}, current.rows if current else ctx.current.rows
            missing = current.missing if current else rows
            ref_rate = reference.missing / reference.rows if reference else None
            reason = "" if current else "the window has no such column"
            rate = missing / rows if rows else None
            interval = stats.wilson(missing, rows)
            detail = {"invalid": current.invalid / rows} if current and current.invalid else {}
            yield Measurement(
                rate,
                labels,
                name="missing_rate",
                rows=rows,
                interval=interval,
                reason=reason or _rows(rows),
                was=ref_rate,
                unit="share",
                detail=detail,
            )
            yield _increase(missing, rows, reference, labels, detail)
            if current:
                invalid, invalid_was = (
                    current.invalid,
                    reference.invalid / reference.rows if reference else None,
                )
                share, interval = (invalid / rows if rows else None), stats.wilson(invalid, rows)
                yield Measurement(
                    share,
                    labels,
                    name="invalid_rate",
                    rows=rows,
                    interval=interval,
                    reason=_rows(rows),
                    was=invalid_was,
                    unit="share",
                )
            constant = _constant(current, reference, labels)
            if constant.value:
                # The date of a day is one value in each window, and rises from day to day.
                identifier = find_identifier(ctx, name)
                if identifier.measurement is not None:
                    yield identifier.measurement
                if identifier.reason:
                    constant = replace(constant, value=None, reason=identifier.reason)
            yield constant


def _rows(rows: int) -> str:
    return "" if rows else "no rows"


def _increase(
    missing: int,
    rows: int,
    reference: Column | None,
    labels: dict[str, str],
    detail: Mapping[str, float],
) -> Measurement:
    if reference is None or not rows:
        reason = _rows(rows) or "no reference for this column yet"
        return Measurement(
            None,
            labels,
            name="missing_increase",
            rows=rows,
            reason=reason,
        )
    rate, ref_rate = missing / rows, reference.missing / reference.rows
    same = (missing, rows) == (reference.missing, reference.rows)
    interval = (
        (0.0, 0.0) if same else stats.newcombe(missing, rows, reference.missing, reference.rows)
    )
    return Measurement(
        rate - ref_rate,
        labels,
        name="missing_increase",
        rows=rows,
        interval=interval,
        detail={"missing": rate, "missing_was": ref_rate, **detail},
    )


def _constant(
    current: Column | None, reference: Column | None, labels: dict[str, str]
) -> Measurement:
    def _measurement(
        value: float | None, reason: str = "", p_value: float | None = None
    ) -> Measurement:
        return Measurement(
            value,
            labels,
            name="constant",
            rows=current.count if current else 0,
            p_value=p_value,
            reason=reason,
        )

    if current is None or not current.count:
        return _measurement(None, "no values in the window")
    if reference is None or not reference.count or reference.kind != current.kind:
        return _measurement(None, "no reference for this column yet")
    if not _single(current) or _single(reference):
        return _measurement(0.0)
    chance = _largest_share(reference) ** current.count
    return (
        _measurement(1.0, p_value=chance)
        if chance < ALIKE
        else _measurement(0.0, "so few rows may well be alike", chance)
    )


def _single(column: Column) -> bool:
    if isinstance(column, NumericColumn):
        return column.count > 0 and column.minimum == column.maximum
    return len(column.counts) == 1 and not column.other


def _largest_share(column: Column) -> float:
    if isinstance(column, NumericColumn):
        # Without a grid, repeated values are unknown.
        return float(column.counts[1::2].max() / column.count) if len(column.edges) else 1.0
    return next(iter(column.counts.values()), 0) / column.count


@hookimpl
def register_checks() -> list[type[Check]]:
    """The missing check."""
    return [Missing]
