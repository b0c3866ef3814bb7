"""Finds slices of rows where the model errs more than it did, and says what drove a change.

Needs labels in the records. Does not judge all rows: the check `performance` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import PositiveInt

from driftline import AlertFact, Check, CheckContext, Measurement, Rule, Window, hookimpl, stats
from driftline.kit.checks import PValue, Wording, phrasing, plain_words

if TYPE_CHECKING:
    from driftline.kit.checks.loss_tallies import LossTallies

SPANS: Mapping[int, float] = {1: 0.1, 3: 0.8, 7: 0.1}
"""Newest windows whose rows are looked at together, with the part of the level of each."""
BASELINE_WINDOWS = 14
"""Windows before them whose rows are added to those of the reference."""
SURE_P_VALUE = 0.01
"""The largest p-value of a slice that a likely cause names."""
LEAST_SHARE = 0.5
"""The share of a change that one cause explains, from which on a message names it."""


class Slices(Check):
    """Finds slices where the model errs more than the same slices did before.

    A slice is what one or two conditions on columns hold for, such as `region = west and age > 60`.
    All slices that have at least 1% of the rows are looked at, in the newest window and in the
    newest 3 and 7 windows together; the rows before are those of the reference and of up to 14
    earlier windows in which nothing was found. The conditions come from the reference where it has
    1,000 labelled rows or more, so that slices stay the same, else from all rows before; categories
    that the reference lacks are one condition, `region is new or rare`. `slice_loss` is the change
    of the worst slice: its share of errors (for numbers its mean absolute error) less that of the
    same slice before. Its p-value counts everything that was looked at. It has its own share of the
    model's alarm budget, 12%. A change of all rows alike is none of a slice.

    weak_slice says which slice errs most compared with the other rows of the same windows; it
    raises no alarm. loss_change is the change of all rows against the reference, split by each
    column into what the sizes of its segments did (mix) and what their errors did (within); the
    column that explains most comes first. A sentence of it stands in messages about performance.

    Prediction, score, label, id, time, version and redacted columns are no part of a slice. Labels
    that come later than their records have no columns, so slices of them are not looked at.

    | input | answer |
    | --- | --- |
    | no labels; labels that came later only | no value, with the reason |
    | neither prediction nor score | no value, with the reason |
    | no rows before: no reference and no earlier windows | no value, with the reason |
    | a slice of fewer than 20 rows on a side, or of almost all rows | it is not looked at |
    | a column that is constant, or absent on a side | it is not looked at |
    | no column left | no value, with the reason |
    """

    type = "slices"
    cause = "performance"
    main = "slice_loss"
    collectors: ClassVar = frozenset({"loss_sample"})
    default_rules: ClassVar = {"slice_loss": Rule(p_value=PValue(level=2e-4, budget=0.12))}
    min_rows = 30
    default_for: ClassVar = frozenset({"label"})
    uses_labels = True
    default_place = 81
    explains: ClassVar = frozenset({"performance"})
    wordings: ClassVar = {
        "slice_loss": Wording(
            noun="errors of a slice",
            sentence=lambda alert: _sentence(alert),
            headline=lambda alert: _headline(alert),
            extent=lambda alert: _extent(alert),
            past=lambda alert: _past_sentence(alert),
            advice=lambda alert: "Look at rows of this slice: what is different in them now?",
            hides_value=True,
        ),
        "weak_slice": Wording(noun="weakest slice"),
        "loss_change": Wording(noun="change of all errors"),
    }

    columns: tuple[str, ...] = ()
    """The columns of the conditions; when empty, all features."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""
    most_columns: PositiveInt = 40
    """The most columns that are looked at, in the order of the schema."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the worst slice, the weakest slice and the change of all rows."""
        from driftline.kit.checks.loss_rows import LossRows  # loads the statistics of slices
        from driftline.kit.checks.loss_tallies import LossTallies

        rows = LossRows(ctx.schema, self.columns, self.ignore, self.most_columns)
        count = len(rows.rows(ctx.current).losses)
        reason = rows.missing_reason(ctx.current)
        if reason:
            for name in ("slice_loss", "weak_slice", "loss_change"):
                yield Measurement(None, name=name, rows=count, reason=reason)
            return
        tallies = LossTallies(rows, ctx.reference)
        earlier = list(ctx.earlier(max(SPANS) - 1 + BASELINE_WINDOWS))
        search, recent = self._worst(ctx, tallies, earlier)
        yield search
        yield _weakest(tallies, recent)
        yield _change(tallies, recent, search)

    def _worst(
        self, ctx: CheckContext, tallies: LossTallies, earlier: Sequence[Window]
    ) -> tuple[Measurement, Sequence[Window]]:
        """Return the change of the worst slice, and the newest windows that weak ones are in."""
        changed_starts = {
            past.start for past in ctx.history("slice_loss", limit=60) if past.verdict == "changed"
        }
        best: tuple[float, stats.Slice] | None = None
        recent: Sequence[Window] = [ctx.current]
        compared = 0.0
        for span, part in SPANS.items():
            newest = earlier[len(earlier) - (span - 1) :] if span > 1 else []
            if len(newest) < span - 1:
                continue
            older = earlier[: len(earlier) - 2] if span <= 3 else earlier[: 1 - span]
            good = [window for window in older if window.start not in changed_starts]
            grid = tallies.grid(good[-BASELINE_WINDOWS:])
            before = tallies.of_baseline(grid, good[-BASELINE_WINDOWS:])
            windows = [*newest, ctx.current]
            now = tallies.of_slices(grid, windows)
            compared = max(compared, before.all_rows)
            if span <= 3:
                recent = windows
            # One slice overlaps with no other one.
            slices = stats.worse_slices(grid, before, now, level=1.0, most=1)
            # The level of a span is its part of the whole: so p-values of spans are comparable.
            if slices and (best is None or slices[0].p_value / part < best[0]):
                best = slices[0].p_value / part, slices[0]
        losses = tallies.losses(recent)
        if not compared:
            reason = "no labelled rows before to compare with"
            return Measurement(None, name="slice_loss", rows=0, reason=reason), recent
        count = len(losses)
        if best is None:
            none = "no slice errs more than before"
            return Measurement(
                0.0, name="slice_loss", rows=count, p_value=1.0, detail={"slice": none}
            ), recent
        p_value, worst = best
        return Measurement(
            worst.gap,
            name="slice_loss",
            rows=count,
            interval=worst.interval,
            p_value=min(p_value, 1.0),
            detail={
                "slice": worst.text,
                "share": worst.share,
                "slice_rows": worst.rows,
                "loss": worst.loss,
                "loss_was": worst.other_loss,
                "kind": "errors" if stats.is_binary(losses) else "absolute error",
            },
        ), recent


def _weakest(tallies: LossTallies, recent: Sequence[Window]) -> Measurement:
    grid = tallies.grid(recent, adds_reference=False)
    counts = tallies.of_slices(grid, recent)
    slices = stats.weak_slices(
        grid, counts, lambda place: tallies.mask(grid, place, recent), most=3
    )
    count = int(counts.all_rows)
    if not slices:
        detail: dict[str, Any] = {"slice": "no slice errs clearly more than the other rows"}
        return Measurement(0.0, name="weak_slice", rows=count, detail=detail)
    worst = slices[0]
    return Measurement(
        worst.gap,
        name="weak_slice",
        rows=count,
        interval=worst.interval,
        p_value=worst.p_value,
        detail=_weak_detail(slices),
    )


def _weak_detail(slices: Sequence[stats.Slice]) -> dict[str, str | float | int | None]:
    worst = slices[0]
    detail: dict[str, str | float | int | None] = {
        "slice": worst.text,
        "share": worst.share,
        "loss": worst.loss,
        "loss_of_others": worst.other_loss,
    }
    detail |= {f"slice_{place}": other.text for place, other in enumerate(slices[1:], 2)}
    return detail


def _change(tallies: LossTallies, recent: Sequence[Window], search: Measurement) -> Measurement:
    """The change of all rows against the reference, split by the column that explains most."""
    losses = tallies.losses(recent)
    drivers = tallies.rank_drivers(recent)
    if not drivers:
        reason = "no reference with labelled rows"
        return Measurement(None, name="loss_change", rows=len(losses), reason=reason)
    first = drivers[0]
    detail: dict[str, str | float | int | None] = {
        "column": first.column,
        "mix": first.mix,
        "within": first.within,
    }
    largest = sorted(first.segments, key=lambda segment: -abs(segment.effect))[:3]
    for place, segment in enumerate(largest, 1):
        detail[f"segment_{place}"] = segment.text
        detail[f"mix_{place}"], detail[f"within_{place}"] = segment.mix, segment.within
    detail["drivers"] = ", ".join(driver.column for driver in drivers[:5])
    detail["likely_cause"] = _likely_cause(drivers, search, is_share=stats.is_binary(losses))
    before = tallies.reference_losses
    value, was = float(losses.mean()), float(before.mean())
    sides = stats.mean_estimate(losses).interval, stats.mean_estimate(before).interval
    interval = None
    if sides[0] is not None and sides[1] is not None:
        interval = stats.difference_interval(value, sides[0], was, sides[1])
    return Measurement(
        value - was, name="loss_change", rows=len(losses), interval=interval, detail=detail
    )


def _likely_cause(drivers: Sequence[stats.Driver], search: Measurement, *, is_share: bool) -> str:
    """One sentence: a slice that became worse, other rows than before, or all rows alike."""
    figure = phrasing.share if is_share else phrasing.number
    noun = "errors" if is_share else "the mean error"
    name = search.detail.get("slice")
    before, now, part = (search.detail.get(key) for key in ("loss_was", "loss", "share"))
    is_sure = search.p_value is not None and search.p_value < SURE_P_VALUE
    if is_sure and isinstance(before, float) and isinstance(now, float) and isinstance(part, float):
        return (
            f"{noun} rose where {name}: {figure(before)} → {figure(now)} "
            f"in {phrasing.share(part)} of rows"
        )
    total = drivers[0].total
    for driver in drivers:
        segment = max(driver.segments, key=lambda part: part.mix * np.sign(total))
        if total and driver.mix / total >= LEAST_SHARE:
            more = "more" if segment.share > segment.share_before else "fewer"
            return (
                f"{more} rows where {segment.text}: {phrasing.share(segment.share_before)} → "
                f"{phrasing.share(segment.share)}; {noun} there: {figure(segment.loss)}"
            )
    if total <= 0:
        return ""
    return f"{noun} rose in all segments alike: no column explains it"


class _SliceNumbers(NamedTuple):
    """What an alert says of a slice, as texts."""

    place: str
    """Its conditions."""
    share: str
    """Its share of the rows."""
    before: str
    now: str
    rises: bool
    is_errors: bool


def _slice_numbers(alert: AlertFact) -> _SliceNumbers | None:
    """Return the numbers of the slice of an alert; None where one of them is missing."""
    before, now, name, part = (
        alert.detail.get(key) for key in ("loss_was", "loss", "slice", "share")
    )
    if not isinstance(before, (int, float)) or not isinstance(now, (int, float)):
        return None
    if not isinstance(part, (int, float)):
        return None
    is_errors = alert.detail.get("kind") == "errors"
    figure = phrasing.share if is_errors else phrasing.number
    return _SliceNumbers(
        place=f"where {name}",
        share=f"({phrasing.share(part)} of rows)",
        before=figure(before),
        now=figure(now),
        rises=now > before,
        is_errors=is_errors,
    )


def _sentence(alert: AlertFact) -> str:
    if (numbers := _slice_numbers(alert)) is None:
        return ""
    noun = "errors" if numbers.is_errors else "mean error"
    return f"{noun} {numbers.place}: {numbers.before} → {numbers.now} {numbers.share}"


def _headline(alert: AlertFact) -> str:
    """Return how the errors of the slice moved, and how large it is."""
    if (numbers := _slice_numbers(alert)) is None:
        return ""
    noun = "errors" if numbers.is_errors else "the mean error"
    verb = "rose" if numbers.rises else "fell"
    move = f"{noun} {verb} from {numbers.before} to {numbers.now}"
    return f"{move} {numbers.place} {numbers.share}"


def _extent(alert: AlertFact) -> str:
    """Return how many predictions of the slice are wrong."""
    before, now = alert.detail.get("loss_was"), alert.detail.get("loss")
    if not isinstance(before, (int, float)) or not isinstance(now, (int, float)):
        return ""
    if alert.detail.get("kind") != "errors":
        return f"there the error is {plain_words.compare_size(now, before)}"
    return f"of 100 predictions there about {100 * now:.0f} are wrong, usually {100 * before:.0f}"


def _past_sentence(alert: AlertFact) -> str:
    now, name = alert.detail.get("loss"), alert.detail.get("slice")
    if not isinstance(now, (int, float)):
        return ""
    figure = phrasing.share if alert.detail.get("kind") == "errors" else phrasing.number
    return f"where {name} the errors were {figure(now)}"


@hookimpl
def register_checks() -> list[type[Check]]:
    """The slice search."""
    return [Slices]
