"""How each feature goes with the score, where there are no attributions."""

from __future__ import annotations

from collections.abc import Iterator

from driftline import CheckContext, Kind, Measurement, stats


def measure_correlations(ctx: CheckContext) -> Iterator[Measurement]:
    """Yield the rank correlation of each numeric feature with the score."""
    schema = ctx.schema
    score = next(
        (
            part.name
            for part in (schema.score, schema.prediction)
            if part and part.kind is Kind.NUMERIC
        ),
        "",
    )
    now = ctx.current.summaries.get("sample", {})
    ref_sample = ctx.reference.summaries.get("sample", {}) if ctx.reference else {}
    numeric = [
        name for name, part in schema.features.items() if part.kind is Kind.NUMERIC and name in now
    ]
    if score not in now or not numeric:
        reason = (
            "no sample of the window"
            if not now
            else "no score"
            if score not in now
            else "no numeric feature"
        )
        yield Measurement(None, name="score_correlation", rows=0, reason=reason)
        return
    for name in numeric:
        value = stats.rank_correlation(now[name], now[score])
        before = (
            stats.rank_correlation(ref_sample[name], ref_sample[score]).value
            if name in ref_sample and score in ref_sample
            else None
        )
        yield Measurement(
            value.value,
            {"column": name},
            name="score_correlation",
            rows=value.n,
            interval=value.interval,
            reason=value.reason,
            was=before,
        )
