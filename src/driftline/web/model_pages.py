"""The pages of the models: one for each model, and one for each of its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftline.agent.model_views import (
    MOST_WINDOWS,
    SHOWN_SERIES,
    WINDOWS,
    ModelSummary,
    ModelView,
    ModelViews,
)
from driftline.agent.performance_views import MetricPair, PerformanceView
from driftline.agent.series_groups import Series, format_value
from driftline.agent.series_lines import find_beside, make_line
from driftline.charts.curve_chart import curve_specification
from driftline.charts.distribution_chart import distribution_specification
from driftline.charts.series_chart import series_specification
from driftline.charts.series_points import SeriesLine, SeriesPoint
from driftline.charts.theme import Specification
from driftline.types.family import Family
from driftline.types.model import Verdict
from driftline.types.notification import OPEN
from driftline.types.phrasing import clean, duration, number
from driftline.types.times import as_micros
from driftline.web.access import Access, answer_with_views
from driftline.web.live_charts import live_chart
from driftline.web.pages import STANDBY, render_message, render_page, render_standby
from driftline.web.pictures import (
    draw_curves,
    draw_distribution,
    draw_rows,
    draw_series,
    draw_sparkline,
)
from driftline.web.query import read_number, refresh_values
from driftline.web.status import StatusSource

FAMILIES = (
    Family.PERFORMANCE,
    Family.BUSINESS,
    Family.FAIRNESS,
    Family.DRIFT,
    Family.QUALITY,
    Family.SERVICE,
)
COUNTS = (24, WINDOWS, 180, MOST_WINDOWS)
"""The numbers of windows that a page offers."""
OVERVIEW_WINDOWS = 30
"""Windows of the small pictures on the overview."""
TIMELINES = 4
"""Series that the page of a model draws large."""
TABLE_ROWS = 200
"""Windows of the table beside a chart."""
SHOWN_SEGMENTS = 50
"""Segments of the table of performance by segment."""
TONES = {Verdict.OK.value: "resolved", Verdict.ERROR.value: "critical"}
"""The colours of verdicts that have no severity."""


def model_routes(agent: StatusSource, access: Access) -> list[Route]:
    """The pages of models and columns, for those who may see incidents."""

    def with_views(
        answer: Callable[[Request, ModelViews], Response], standby: Callable[[], Response]
    ) -> Callable[[Request], Response]:
        return answer_with_views(access, lambda: agent.model_views, answer, standby=standby)

    def standby_json() -> Response:
        return JSONResponse({"error": STANDBY}, 503)

    def show_model(request: Request, views: ModelViews) -> Response:
        name, count = request.path_params["model"], _count(request)
        until, day = _until(request)
        segment = request.query_params.get("segment", "")
        view = views.model(name, count=count, segment=segment, until=until, is_brief=True)
        if view is None:
            return _unknown(views, name)
        return render_page(
            "model",
            until=day,
            **refresh_values(request),
            title=name,
            view=view,
            rows=live_chart(draw_rows(view.windows, width=720, height=80), _rows_chart(view)),
            timelines=_timelines(view),
            families=[
                (
                    family.value,
                    _lines(name, [item for item in view.series if item.family == family]),
                )
                for family in FAMILIES
                if any(item.family == family for item in view.series)
            ],
            columns=_columns(view),
            metrics=_version_metrics(view),
            incidents=[
                {
                    "row": row,
                    "href": f"../i/{quote(row.id, safe='')}{_query(access, request, row.id)}",
                }
                for row in view.incidents
            ],
            segments=[
                (segment, f"?{urlencode({'segment': segment, 'windows': count})}")
                for segment in view.segments
            ],
            shown=SHOWN_SERIES,
            count=count,
            counts=COUNTS,
        )

    def show_column(request: Request, views: ModelViews) -> Response:
        name, column = request.path_params["model"], request.query_params.get("name", "")
        view = views.column(
            name,
            column,
            count=_count(request),
            window=_start(request, "window"),
            beside=_start(request, "beside"),
        )
        if view is None:
            return _unknown(views, name)
        if not view.series:
            return render_message(
                "No such column",
                f"No check has measured a column of this name in the newest windows of {name}.",
                404,
            )
        return render_page(
            "column",
            title=f"{column} of {name}",
            view=view,
            distribution=None
            if view.distribution is None
            else live_chart(
                draw_distribution(view.distribution),
                distribution_specification(
                    [(bar.name, bar.share, bar.share_before) for bar in view.distribution.bars],
                    is_numeric=view.distribution.is_numeric,
                    description="shares of rows",
                ),
            ),
            series=[
                {
                    **line,
                    "chart": live_chart(
                        draw_series(item.values), series_specification(make_line(item))
                    ),
                }
                for item, line in zip(view.series, _lines(name, view.series), strict=True)
            ],
        )

    def show_performance(request: Request, views: ModelViews) -> Response:
        name, count = request.path_params["model"], _count(request)
        until, day = _until(request)
        view = views.performance(name, count=count, until=until)
        if view is None:
            return _unknown(views, name)
        return render_page(
            "model_performance", **_performance(view), count=count, counts=COUNTS, until=day
        )

    def list_models(request: Request, views: ModelViews) -> Response:
        return _json({"models": views.summaries()})

    def describe_model(request: Request, views: ModelViews) -> Response:
        name = request.path_params["model"]
        segment = request.query_params.get("segment", "")
        view = views.model(name, count=_count(request), segment=segment)
        if view is None:
            return JSONResponse({"error": _unknown_text(views, name)}, 404)
        return _json(view)

    return [
        Route("/m/{model}", with_views(show_model, render_standby)),
        Route("/m/{model}/performance", with_views(show_performance, render_standby)),
        Route("/m/{model}/column", with_views(show_column, render_standby)),
        Route("/api/models", with_views(list_models, standby_json)),
        Route("/api/models/{model}", with_views(describe_model, standby_json)),
    ]


def overview_rows(summaries: Sequence[ModelSummary]) -> list[dict[str, Any]]:
    """The models for the first page, each with the address of its page and a picture."""
    return [
        {
            "summary": summary,
            "href": f"m/{quote(summary.name, safe='')}",
            "chart": draw_rows(summary.windows),
            "age": "" if summary.age is None else duration(summary.age.total_seconds()),
        }
        for summary in summaries
    ]


def _performance(view: PerformanceView) -> dict[str, Any]:
    """The values for the page of performance."""
    pairs = [_pair(view.model, pair) for pair in view.metrics]
    names = sorted({name for values in view.segments.values() for name in values})
    now, before = view.now, view.before
    curves = []
    if now is not None and now.reliability:
        old = before or now
        curves = [
            _curves(
                [(score, share) for score, share, _ in now.reliability],
                [(score, share) for score, share, _ in old.reliability],
                name="calibration: share of positives by score",
                across="mean score",
                up="share of positives",
                with_diagonal=True,
                with_dots=True,
            ),
            _curves(
                now.roc,
                old.roc,
                name="ROC curve",
                across="false positive rate",
                up="true positive rate",
                with_diagonal=True,
            ),
            _curves(
                now.precision_recall,
                old.precision_recall,
                name="precision and recall",
                across="share of positives found",
                up="share right of those",
                with_diagonal=False,
            ),
            _curves(
                now.gain,
                old.gain,
                name="gain of the highest scores; above the diagonal by the lift",
                across="share of rows",
                up="share of positives found",
                with_diagonal=True,
            ),
        ]
    return {
        "title": f"performance of {view.model}",
        "view": view,
        "pairs": pairs,
        "others": [
            (family, _lines(view.model, items)) for family, items in view.others.items() if items
        ],
        "segment_names": names,
        "segments": list(view.segments.items())[:SHOWN_SEGMENTS],
        "curves": curves,
    }


def _curves(
    now: Sequence[tuple[float, float]],
    before: Sequence[tuple[float, float]],
    *,
    name: str,
    across: str,
    up: str,
    with_diagonal: bool,
    with_dots: bool = False,
) -> Markup:
    """Two curves as a picture and as a specification."""
    return live_chart(
        draw_curves(
            now,
            before,
            name=name,
            across=across,
            up=up,
            with_diagonal=with_diagonal,
            with_dots=with_dots,
        ),
        curve_specification(
            now,
            before,
            across=across,
            up=up,
            with_diagonal=with_diagonal,
            with_dots=with_dots,
        ),
    )


def _rows_chart(view: ModelView) -> Specification:
    """The rows of each window; a window without rows has a dot."""
    points = [
        SeriesPoint(
            start=window.start, value=window.rows, severity="" if window.rows else "critical"
        )
        for window in view.windows
    ]
    line = SeriesLine(name="rows in each window", points=points, is_count=True, has_band=False)
    return series_specification(line, height=110)


def _columns(view: ModelView) -> list[dict[str, Any]]:
    """The columns, what changed most first, each with its most important series."""
    by_column: dict[str, list[Series]] = {}
    for item in view.series:
        if item.column:
            by_column.setdefault(item.column, []).append(item)
    return [
        {
            **_line(view.name, items[0]),
            "changed": sum(item.newest.verdict == Verdict.CHANGED for item in items),
            "judged": sum(bool(item.newest.verdict) for item in items),
        }
        for items in by_column.values()
    ]


def _version_metrics(view: ModelView) -> list[tuple[str, list[Series | None]]]:
    """Each metric with its series for each version, or None where a version has none."""
    nouns = dict.fromkeys(item.noun for version in view.versions for item in version.metrics)
    return [
        (
            noun,
            [
                next((item for item in version.metrics if item.noun == noun), None)
                for version in view.versions
            ],
        )
        for noun in nouns
    ]


def _timelines(view: ModelView) -> list[dict[str, Any]]:
    """The series that matter most, each over time with its reference and the incidents."""
    moved = [item for item in view.series if item.newest.verdict == Verdict.CHANGED]
    chosen = (moved or list(view.series))[:TIMELINES]
    begin = view.windows[0].start if view.windows else 0
    return [
        {
            **_line(view.name, item),
            "chart": live_chart(
                draw_series(item.values),
                series_specification(
                    make_line(
                        item,
                        find_beside(item, view.series),
                        [
                            row
                            for row in view.incidents
                            if row.resolved_at is None or as_micros(row.resolved_at) >= begin
                        ],
                    ),
                    height=130,
                ),
            ),
        }
        for item in chosen
        if sum(value.value is not None for value in item.values) > 1
    ]


def _pair(model: str, pair: MetricPair) -> dict[str, Any]:
    """The values for one metric of the page of performance."""
    known = [item for item in (pair.realised, pair.estimated) if item is not None]
    return {
        "noun": known[0].noun,
        "realised": None if pair.realised is None else _line(model, pair.realised),
        "estimated": None if pair.estimated is None else _line(model, pair.estimated),
        "chart": live_chart(
            draw_series(known[0].values, known[1].values if len(known) > 1 else ()),
            series_specification(make_line(known[0], known[1] if len(known) > 1 else None)),
        ),
        "rows": _rows(pair),
    }


def _rows(pair: MetricPair) -> list[tuple[int, str, str]]:
    """Start, value with labels and estimate of each window with either, the newest first."""
    texts: dict[int, list[str]] = {}
    for place, item in enumerate((pair.realised, pair.estimated)):
        for value in () if item is None else item.values:
            if value.value is not None:
                has_interval = value.low is not None and value.high is not None
                interval = f" ({number(value.low)} to {number(value.high)})" if has_interval else ""
                texts.setdefault(value.start, ["", ""])[place] = number(value.value) + interval
    newest = sorted(texts, reverse=True)[:TABLE_ROWS]
    return [(start, texts[start][0], texts[start][1]) for start in newest]


def _lines(model: str, table: Sequence[Series]) -> list[dict[str, Any]]:
    """The values of a table of series."""
    return [_line(model, item) for item in table]


def _line(model: str, item: Series) -> dict[str, Any]:
    newest = item.newest
    is_share = newest.unit == "share"

    def text(value: float | None) -> str:
        return format_value(value, newest.unit)

    has_interval = newest.low is not None and newest.high is not None
    place = f"{quote(model, safe='')}/column?{urlencode({'name': item.column})}"
    return {
        "item": item,
        "newest": newest,
        "href": place if item.column else "",
        "value": text(newest.value),
        "unit": "" if is_share else newest.unit,
        "was": text(newest.was),
        "interval": f"{text(newest.low)} to {text(newest.high)}" if has_interval else "",
        "spark": draw_sparkline(item.values),
        "tone": newest.severity
        if newest.verdict == Verdict.CHANGED
        else TONES.get(newest.verdict, "note"),
    }


def _count(request: Request) -> int:
    return read_number(request, "windows", WINDOWS, least=2, most=MOST_WINDOWS)


def _start(request: Request, name: str) -> int | None:
    """The start of a window, in microseconds; None where the query has none."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def _until(request: Request) -> tuple[int | None, str]:
    """The end of the day that the query names, in microseconds, and the day; None without one."""
    try:
        day = date.fromisoformat(request.query_params.get("until", ""))
        midnight = datetime.combine(day + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        return None, ""
    return as_micros(midnight), day.isoformat()


def _query(access: Access, request: Request, id: str) -> str:
    return access.sign_query(id, OPEN) if access.can_act(request) else ""


def _json(view: object) -> Response:
    return Response(msgspec.json.encode(view), media_type="application/json")


def _unknown_text(views: ModelViews, name: str) -> str:
    return f"There is no model {clean(name, 100)}; there are: {', '.join(views.names) or 'none'}."


def _unknown(views: ModelViews, name: str) -> Response:
    return render_message("No such model", _unknown_text(views, name), 404)
