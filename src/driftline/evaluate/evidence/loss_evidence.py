"""Adds up the evidence that one metric is lastingly worse, block by block.

A block is one window, or one day (UTC) where windows are shorter. The drop d of a block is how much
worse the metric is than the reference, s its standard error. For each margin the likelihood ratio

    exp(((m - d0) (d - b - d0) - (m - d0)^2 / 2) / (s^2 + tau^2))

compares a loss of m with one of at most d0; R = (1 + R) times the ratio adds up the evidence
(Shiryaev-Roberts). Here b is the usual difference from the reference, d0 is at least the standard
error of b, nearly two of them where they are large, and tau is the spread of the metric between
good blocks. The ratio has expectation at most 1 while the drop is at most d0, also of the mean of a
day that is not over. So the weighted mean of R over the margins reaches the threshold of A blocks
at most once in A blocks on average.

The usual difference b is 0 with the reference's own error, weighted with the mean of the first 14
good blocks, as long as the two agree; where these blocks are proven to differ, it is their mean,
or, where they are better than the reference, what they surely are. Evidence for a change that
begins within the first blocks compares with those before it, so a loss that begins there does not
hide in b; b is then the worse of reference and blocks. The first three blocks are compared with the
reference alone:
a drop that two blocks prove to be beyond `obvious`, or one to be beyond the largest margin, is a
loss at once. So is a drop beyond `obvious` by four standard errors in one block, or in a part of a
day, where the spread between blocks counts as error, too.

A loss ends when the mean of 3, 7 or 14 blocks after the alarm, plus its standard error, is near the
usual difference. Nothing else ends it.

All values follow from the windows up to the one that is judged: a window that is restated by late
labels gives the same evidence as if its labels had been there at once.

Drops are on the scale of the rule, positive where the metric is worse; for a rule of both sides,
where it is larger. Shapes: C possible begins, S sides, M margins. Times are microseconds.

Does not know what a metric means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from driftline.types.arrays import Floats

FIRST_BLOCKS = 14
"""Good blocks that say what the usual difference from the reference is."""
FEWEST_BLOCKS = 3
"""Good blocks before evidence adds up."""
SETTLED_BLOCKS = 28
"""Good blocks from which on begins within the first blocks are no longer told apart."""
PRIOR_BLOCKS = 10
"""Blocks that the prior spread between blocks counts as."""
SPANS = (3, 7, 14)
"""Numbers of newest blocks whose mean can prove recovery."""
REMAINDER = 0.25
"""Share of a loss below which what is left of it is none."""
RECENT_BLOCKS = SPANS[1]
"""Newest blocks that say how large a loss is now."""
Z = 1.96
"""Standard errors on each side of a 95% interval."""
AGREEMENT = 2.0
"""Standard errors within which the first blocks agree with the reference."""
MOST_EVIDENCE = 1e200
"""Upper limit of a total, so that it stays finite."""
MOST_LOG_RATIO = 50.0
"""Upper limit of the logarithm of one likelihood ratio."""


class Drop(NamedTuple):
    """The drop of one window or block."""

    start: int
    drop: float
    variance: float
    """Sampling variance of the drop, without the error of the reference."""

    def distance(self, spread: float) -> float:
        """The variance of the drop; `spread` is the variance between blocks."""
        return self.variance + spread


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTerms:
    """How one stream is judged."""

    margins: tuple[float, ...]
    """Rising, above 0."""
    obvious: float
    has_two_sides: bool
    """Whether lower values are a loss, too."""
    threshold: float
    """Blocks per false page."""
    critical: float = math.inf
    """Size from which a loss is critical."""

    @property
    def sides(self) -> Floats:
        """The sign of each side that is watched, shape (S, 1)."""
        return np.array([[1.0], [-1.0]] if self.has_two_sides else [[1.0]])

    @property
    def least_drop(self) -> float:
        """The least d0."""
        return self.margins[0] / 6

    def base(self, error: float) -> float:
        """The drop that evidence counts against, with the error of the usual difference.

        A usual difference that is off by two errors must not add up to a loss over a year, where
        errors are not small beside the margins.
        """
        return max(self.least_drop, error, 2 * error - self.least_drop)

    def home(self, error: float) -> float:
        """The drop below which a loss has ended."""
        return max(self.margins[0] / 2, self.base(error) + self.margins[0] / 4)


class Anchor(NamedTuple):
    """The usual difference from the reference."""

    offset: float
    error: float
    """Standard error of the offset."""
    is_proven: bool
    """Whether the first blocks are proven to differ from the reference."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Begin:
    """The evidence for changes that begin in one block, or in any block from it on."""

    start: int
    anchor: Anchor
    totals: Floats
    """Shape (S, M)."""
    is_open: bool
    """Whether the change may also begin in a later block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossAlarm:
    """A loss that is on."""

    since: int
    """Start of the window in which it began, as estimated."""
    block: int
    """Start of the block in which it was found."""
    side: float
    """1 where the drop is positive, else -1."""
    odds: float
    """Evidence for the change when it was found: this number to 1."""
    size: float
    """Size when it was first sent, had doubled, or became more severe."""
    doublings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LossState:
    """What the blocks before the present one leave to it."""

    first: tuple[float, float, int] = (0.0, 0.0, 0)
    """Of the first good blocks: mean drop by its precision, that precision, and their number."""
    good: tuple[float, float, float, int] = (0.0, 0.0, 0.0, 0)
    """Of good blocks: sums of drops, of squared drops, of sampling variances, and number."""
    begins: tuple[Begin, ...] = ()
    run: Floats | None = None
    """Logarithm of the evidence of the run that each side and margin is in, shape (S, M)."""
    run_start: Floats | None = None
    """Start of the run, shape (S, M)."""
    recent: tuple[Drop, ...] = ()
    """The newest finished blocks, oldest first, at most 14."""
    alarm: LossAlarm | None = None
    alarm_anchor: Anchor | None = None
    """The anchor that the loss which is on is compared with."""

    @property
    def has_first_blocks(self) -> bool:
        """Whether the usual difference is known."""
        return self.first[2] >= FIRST_BLOCKS

    def spread(self, terms: LossTerms) -> float:
        """Variance of the metric between good blocks, from a prior and the blocks so far.

        It is larger while few blocks are known, as the prediction of one more block is.
        """
        drops, squares, variances, count = self.good
        prior = (terms.margins[0] / 3) ** 2
        between = 0.0
        if count > 1:
            between = max(0.0, (squares - drops**2 / count) / (count - 1) - variances / count)
        others = max(count - 1, 0)
        pooled = (PRIOR_BLOCKS * prior + others * between) / (PRIOR_BLOCKS + others)
        return pooled * (1 + PRIOR_BLOCKS / (count + 1))

    def anchor(self, reference_error: float, terms: LossTerms) -> Anchor:
        """The usual difference; `reference_error` is infinite without a reference.

        Until all first blocks are known, it is the worse of reference and first blocks.
        """
        total, precision, count = self.first
        if not count:
            return Anchor(0.0, reference_error, is_proven=False)
        mean, variance = total / precision, max(1 / precision, self.spread(terms) / count)
        error = math.sqrt(variance)
        if math.isinf(reference_error):
            return Anchor(mean, error, is_proven=False)
        if not self.has_first_blocks:
            is_better = mean < 0
            return Anchor(max(mean, 0.0), reference_error if is_better else error, is_proven=False)
        both = variance + reference_error**2
        if abs(mean) > AGREEMENT * math.sqrt(both):
            offset = mean if mean > 0 else min(0.0, mean + AGREEMENT * error)
            return Anchor(offset, error, is_proven=True)
        share = reference_error**2 / both
        return Anchor(max(mean * share, mean - error), math.sqrt(variance * share), is_proven=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSoFar:
    """The present block up to the window that is judged."""

    drop: Drop
    reference_error: float
    weight: float
    """Share of the budget of the stream."""
    counts: bool
    """Whether it is compared now: it is over, or the shape of a day is known."""
    is_over: bool
    windows: Callable[[], Sequence[Drop]]
    """Returns the windows of this block and of earlier ones, oldest first."""


def log_ratio(drop: float, variance: float, anchor: Anchor, terms: LossTerms) -> Floats:
    """Logarithm of the likelihood ratio of each side and margin, shape (S, M)."""
    base = terms.base(anchor.error)
    if math.isinf(base):  # Nothing is known yet: no evidence for either side.
        return np.zeros((len(terms.sides), len(terms.margins)))
    margins = np.maximum(np.array(terms.margins), base + terms.margins[0] / 2) - base
    beyond = terms.sides * (drop - anchor.offset) - base
    ratio: Floats = (margins * beyond - margins**2 / 2) / variance
    return np.clip(ratio, -MOST_LOG_RATIO, MOST_LOG_RATIO)


def judge_block(state: LossState, block: BlockSoFar, terms: LossTerms) -> LossState:
    """The state with the alarm as it stands after the newest window of the present block.

    Evidence is not added: `close_block` does, once the block is over.
    """
    if state.alarm is None:
        alarmed = _raise_alarm(state, block, terms)
        return state if alarmed is None else alarmed
    if _has_recovered(state, block, terms):
        return replace(state, alarm=None, alarm_anchor=None, begins=(), run=None, run_start=None)
    return replace(state, alarm=_grow(state, block, terms)) if block.counts else state


def close_block(state: LossState, block: BlockSoFar, terms: LossTerms) -> LossState:
    """The state with the evidence of a block that is over; `state` has its alarm."""
    recent = (*state.recent, block.drop)[-SPANS[-1] :]
    if state.alarm is not None:
        return replace(state, recent=recent)
    spread = state.spread(terms)
    variance = block.drop.distance(spread)
    begins = tuple(
        _add(begin, block.drop, variance, terms) for begin in _begins(state, block, terms)
    )
    anchor = state.anchor(block.reference_error, terms)
    ratio = log_ratio(block.drop.drop, variance, anchor, terms)
    run = np.zeros_like(ratio) if state.run is None else state.run
    run_start = (
        np.full_like(ratio, block.drop.start) if state.run_start is None else state.run_start
    )
    run_start = np.where(run > 0, run_start, float(block.drop.start))
    d, s2 = block.drop.drop, block.drop.variance
    drops, squares, variances, count = state.good
    first = state.first
    if not state.has_first_blocks:
        first = _add_to_first(state.first, d, variance)
    if count + 1 >= SETTLED_BLOCKS and len(begins) > 1:
        totals = np.minimum(sum(begin.totals for begin in begins), MOST_EVIDENCE)
        begins = (replace(begins[-1], totals=totals),)
    return replace(
        state,
        first=first,
        good=(drops + d, squares + d * d, variances + s2, count + 1),
        begins=begins,
        run=np.maximum(run, 0.0) + ratio,
        run_start=run_start,
        recent=recent,
    )


def _begins(state: LossState, block: BlockSoFar, terms: LossTerms) -> tuple[Begin, ...]:
    """The begins that the present block adds to, with the one that it starts."""
    if state.first[2] < FEWEST_BLOCKS or (state.begins and state.begins[-1].is_open):
        return state.begins
    totals = np.zeros((len(terms.sides), len(terms.margins)))
    anchor = state.anchor(block.reference_error, terms)
    begin = Begin(
        start=block.drop.start, anchor=anchor, totals=totals, is_open=state.has_first_blocks
    )
    return (*state.begins, begin)


def _add(begin: Begin, drop: Drop, variance: float, terms: LossTerms) -> Begin:
    """The evidence of a begin with that of one block."""
    is_new = begin.is_open or begin.start == drop.start
    ratio = np.exp(log_ratio(drop.drop, variance, begin.anchor, terms))
    totals = np.minimum((begin.totals + (1.0 if is_new else 0.0)) * ratio, MOST_EVIDENCE)
    return replace(begin, totals=totals)


def _raise_alarm(state: LossState, block: BlockSoFar, terms: LossTerms) -> LossState | None:
    """The state with a loss that is on; None where none is proven."""
    obvious_side = _obvious_side(state, block, terms)
    if obvious_side:
        anchor = Anchor(0.0, block.reference_error, is_proven=False)
        since = block.drop.start
        if state.recent and obvious_side * state.recent[-1].drop > terms.obvious:
            since = state.recent[-1].start
        return _with_alarm(state, block, terms, anchor, side=obvious_side, since=since, odds=0.0)
    begins = state.begins
    if block.counts:
        variance = block.drop.distance(state.spread(terms))
        begins = tuple(
            _add(begin, block.drop, variance, terms) for begin in _begins(state, block, terms)
        )
    if not begins:
        return None
    totals = np.stack([begin.totals for begin in begins])
    evidence = totals.sum(axis=0).mean(axis=1)
    side = int(np.argmax(evidence))
    if block.weight / len(terms.sides) * evidence[side] < terms.threshold:
        return None
    place, margin = np.unravel_index(np.argmax(totals[:, side]), totals[:, side].shape)
    begin = begins[int(place)]
    start = float(begin.start)
    if begin.is_open:
        start = float(block.drop.start)
        if state.run is not None and state.run_start is not None and state.run[side, margin] > 0:
            start = float(state.run_start[side, margin])
    sign = float(terms.sides[side, 0])
    since = _begin_of_loss(int(start), block, begin.anchor, sign, int(margin), state, terms)
    odds = float(evidence[side]) / max(1, state.good[3])
    return _with_alarm(state, block, terms, begin.anchor, side=sign, since=since, odds=odds)


def _obvious_side(state: LossState, block: BlockSoFar, terms: LossTerms) -> float:
    """The side on which a loss is proven without evidence over windows; 0 where none is.

    This block and the one before are beyond `obvious`, or this one is beyond the largest margin. A
    part of a day must be beyond it by twice as many standard errors. Where errors are larger than
    margins, these blocks together must differ from the reference by more than chance makes in a
    year. One block or part of a day is enough where it is beyond `obvious` by so many errors, with
    the spread between blocks as it is assumed before the first one.
    """
    if state.has_first_blocks or math.isinf(block.reference_error):
        return 0.0
    errors = Z if block.is_over else 2 * Z
    spread = LossState().spread(terms)
    total_error = math.sqrt(block.drop.distance(spread) + block.reference_error**2)
    for side in terms.sides[:, 0].tolist():
        if side * block.drop.drop - 2 * Z * total_error > terms.obvious:
            return float(side)
        drops = (block.drop, *state.recent[-1:])
        now, *before = (
            side * drop.drop - errors * math.sqrt(drop.variance + block.reference_error**2)
            for drop in drops
        )
        is_obvious = block.is_over and bool(before) and min(now, before[0]) > terms.obvious
        is_large = now > terms.margins[-1]
        if (is_large and _is_no_chance(drops[:1], side, block.reference_error)) or (
            is_obvious and _is_no_chance(drops, side, block.reference_error)
        ):
            return float(side)
    return 0.0


def _is_no_chance(drops: Sequence[Drop], side: float, reference_error: float) -> bool:
    """Whether the mean drop is beyond 0 by as many standard errors as one obvious block needs."""
    mean = side * sum(drop.drop for drop in drops) / len(drops)
    variance = sum(drop.variance for drop in drops) / len(drops) ** 2
    return mean > 2 * Z * math.sqrt(variance + reference_error**2)


def _begin_of_loss(
    start: int,
    block: BlockSoFar,
    anchor: Anchor,
    side: float,
    margin: int,
    state: LossState,
    terms: LossTerms,
) -> int:
    """The window from which on the windows speak most for a loss, near the begin of its run."""
    all_windows = block.windows()
    earlier = (all_windows[-1].start - start) // 8
    windows = [window for window in all_windows if window.start >= start - earlier]
    if len(windows) < 2:
        return start
    row, spread = int(side < 0), state.spread(terms)
    ratios = [
        float(log_ratio(window.drop, window.distance(spread), anchor, terms)[row, margin])
        for window in windows
    ]
    sums = np.cumsum(ratios[::-1])[::-1]
    return windows[int(np.argmax(sums))].start


def _add_to_first(
    first: tuple[float, float, int], drop: float, variance: float
) -> tuple[float, float, int]:
    """The first blocks with one more; all have the same weight.

    Weights by precision would favour blocks with high rates: these seem surer than they are.
    """
    total, precision, count = first
    mean, mean_variance = (total / precision, 1 / precision) if count else (0.0, 0.0)
    mean = (mean * count + drop) / (count + 1)
    mean_variance = (mean_variance * count**2 + variance) / (count + 1) ** 2
    return mean / mean_variance, 1 / mean_variance, count + 1


def _with_alarm(
    state: LossState,
    block: BlockSoFar,
    terms: LossTerms,
    anchor: Anchor,
    *,
    side: float,
    since: int,
    odds: float,
) -> LossState:
    """The state with a new alarm; the blocks since the begin of the loss are not good ones."""
    spread = state.spread(terms)
    drops, squares, variances, count = state.good
    first, first_count = state.first, state.first[2]
    for drop in state.recent:
        if drop.start < since:
            continue
        drops, squares, count = drops - drop.drop, squares - drop.drop**2, count - 1
        variances -= drop.variance
    if first_count and count < first_count:
        # The loss began within the first blocks: they are made anew of those before it.
        before = [drop for drop in state.recent if drop.start < since]
        first = (0.0, 0.0, 0)
        for drop in before:
            first = _add_to_first(first, drop.drop, drop.distance(spread))
    state = replace(
        state,
        first=first,
        good=(drops, squares, variances, count) if count > 0 else (0.0, 0.0, 0.0, 0),
        begins=(),
        run=None,
        run_start=None,
        alarm_anchor=anchor,
        alarm=LossAlarm(since=since, block=block.drop.start, side=side, odds=odds, size=0.0),
    )
    mean, _ = loss_since(state, block, terms)
    assert state.alarm is not None
    return replace(state, alarm=replace(state.alarm, size=max(0.0, side * mean)))


def loss_since(
    state: LossState, block: BlockSoFar, terms: LossTerms, since: int | None = None
) -> tuple[float, float]:
    """Mean drop less the usual difference since the loss began, and its standard error.

    The error is that of the labels and of the usual difference. `since` (microseconds) is the
    window in which it began, the block of the alarm if it is None. Where it lies within a block,
    the windows of that block count that are not before it, or the blocks after it.
    """
    assert state.alarm is not None
    assert state.alarm_anchor is not None
    since = state.alarm.since if since is None else since
    blocks = [drop for drop in state.recent if drop.start >= since]
    if block.drop.start >= since:
        blocks.append(block.drop)
    if not blocks:
        blocks = [window for window in block.windows() if window.start >= since] or [block.drop]
    mean, variance = mean_of(blocks, 0.0 if len(blocks) == 1 else state.spread(terms))
    anchor = state.alarm_anchor
    return mean - anchor.offset, math.sqrt(variance + anchor.error**2)


def mean_of(blocks: Sequence[Drop], spread: float) -> tuple[float, float]:
    """Mean of the drops by precision, and its variance."""
    precisions = [1 / max(block.distance(spread), 1e-18) for block in blocks]
    total = sum(precisions)
    mean = sum(p * block.drop for p, block in zip(precisions, blocks, strict=True)) / total
    return mean, 1 / total


def _blocks_after(state: LossState, block: BlockSoFar, after: int) -> list[Drop]:
    """The finished blocks that begin after `after`, oldest first."""
    blocks = [drop for drop in state.recent if drop.start > after]
    return [*blocks, block.drop] if block.is_over and block.drop.start > after else blocks


def _has_recovered(state: LossState, block: BlockSoFar, terms: LossTerms) -> bool:
    assert state.alarm is not None
    assert state.alarm_anchor is not None
    blocks, spread = _blocks_after(state, block, state.alarm.block), state.spread(terms)
    anchor, side = state.alarm_anchor, state.alarm.side
    home = max(terms.home(anchor.error), REMAINDER * state.alarm.size)
    for span in SPANS:
        if len(blocks) < span:
            return False
        mean, variance = mean_of(blocks[-span:], spread)
        if side * (mean - anchor.offset) + math.sqrt(variance) < home:
            return True
    return False


def _grow(state: LossState, block: BlockSoFar, terms: LossTerms) -> LossAlarm:
    """The alarm, with a larger size where the newest blocks prove twice the size, or `critical`."""
    assert state.alarm is not None
    assert state.alarm_anchor is not None
    alarm = state.alarm
    blocks = _blocks_after(state, block, alarm.block)[-RECENT_BLOCKS:]
    if len(blocks) < 2 or alarm.size <= 0:
        return alarm
    mean, variance = mean_of(blocks, state.spread(terms))
    least = alarm.side * (mean - state.alarm_anchor.offset) - math.sqrt(variance)
    if least >= 2 * alarm.size:
        return replace(alarm, size=least, doublings=alarm.doublings + 1)
    return replace(alarm, size=least) if alarm.size < terms.critical <= least else alarm
