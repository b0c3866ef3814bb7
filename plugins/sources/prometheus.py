"""Asks the HTTP API of Prometheus, or of a server that speaks it, for the points of series.

Does not scrape targets, and does not read native histograms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field as Setting
from pydantic import field_validator

from driftline import Secret, Source, SourceError, hookimpl
from driftline.kit.stores.http_metric_source import HttpMetricSource
from driftline.kit.stores.metric_source import make_point

MOST_STEPS = 11_000
"""The points of one series that Prometheus returns at most."""
CLOSERS = {"(": ")", "[": "]", "{": "}"}


class PrometheusServer(HttpMetricSource):
    """Reads series of Prometheus, Thanos, Mimir or VictoriaMetrics by `/api/v1/query_range`.

    Each result of a query is a series: its points are rows with `time`, `value`, `name` (the name
    of the query here), and a column for each label.
    """

    type = "prometheus"
    permission = "a token"

    url: str
    """The address of the server, such as `http://prometheus:9090`."""
    queries: Mapping[str, str] = Setting(min_length=1)
    """The PromQL of each series, by name: `{error_rate: "sum(rate(errors_total[5m]))"}`.

    A counter needs `rate` or `increase`.
    """
    token: Secret | None = None
    """The token of a server that needs one."""
    headers: Mapping[str, Annotated[Secret | str, Setting(union_mode="left_to_right")]] = {}
    """Further headers, such as `{X-Scope-OrgID: team}`; one that is a reference is secret."""

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError("should be an address such as http://prometheus:9090")
        if parts.username or parts.password:
            raise ValueError("give the password as a token, not in the address")
        return url.rstrip("/").removesuffix("/api/v1")

    @field_validator("queries")
    @classmethod
    def _is_balanced(cls, queries: Mapping[str, str]) -> Mapping[str, str]:
        for name, query in queries.items():
            if problem := _find_problem(query):
                raise ValueError(f"{name}: {problem}: {query[:200]}")
        return queries

    @property
    def address(self) -> str:
        """Return the address of the server."""
        return f"prometheus://{urlsplit(self.url).netloc}"

    def permissions(self) -> tuple[str, ...]:
        """Return the right to query."""
        return (f"queries at {self.url}/api/v1/query_range",)

    def read_points(self, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the points of every query, those of one query after another."""
        for name, query in self.queries.items():
            for first, last in self._spans(start, end):
                yield from self._ask(name, query, first, last)

    def _spans(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the first and the last time of each request."""
        part = MOST_STEPS * self.step
        while start < end:
            # The API returns the point at the end of a span, which belongs to the next span.
            yield start, min(start + part, end) - self.step
            start += part

    def _ask(
        self, name: str, query: str, first: datetime, last: datetime
    ) -> Iterator[dict[str, Any]]:
        parameters: dict[str, str | list[str]] = {
            "query": query,
            "start": str(first.timestamp()),
            "end": str(last.timestamp()),
            "step": str(self.step // timedelta(seconds=1)),
        }
        answer = self.get_json(f"{self.url}/api/v1/query_range", parameters)
        try:
            if answer["status"] != "success" or answer["data"]["resultType"] != "matrix":
                raise SourceError(f"{self.address}: {name}: {str(answer.get('error'))[:200]}")
            for series in answer["data"]["result"]:
                labels = {k: v for k, v in series["metric"].items() if k != "__name__"}
                for seconds, text in series.get("values", ()):
                    at = datetime.fromtimestamp(seconds, UTC)
                    yield make_point(name, at, float(text), labels)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise SourceError(
                f"{self.address}: {name}: not an answer of Prometheus: check the address"
            ) from None

    def request_headers(self) -> dict[str, str]:
        """Return the further headers and the token."""
        token = {} if self.token is None else {"authorization": f"Bearer {self.token.reveal()}"}
        headers = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self.headers.items()
        }
        return headers | token


def _find_problem(query: str) -> str:
    """Return what is wrong with the brackets and quotes of a query; empty if nothing is."""
    expected: list[tuple[str, int]] = []
    quote, escaped, comment = "", False, False
    for place, letter in enumerate(query, 1):
        if comment:
            comment = letter != "\n"
        elif quote:
            if escaped or (letter == "\\" and quote != "`"):
                escaped = not escaped
            elif letter == quote:
                quote = ""
        elif letter in "\"'`":
            quote = letter
        elif letter == "#":
            comment = True
        elif letter in CLOSERS:
            expected.append((CLOSERS[letter], place))
        elif letter in CLOSERS.values() and (not expected or expected.pop()[0] != letter):
            return f"{letter} at character {place} closes nothing"
    if quote:
        return f"the quote {quote} is not closed"
    if expected:
        return f"{expected[-1][0]} is missing for character {expected[-1][1]}"
    return "" if query.strip() else "the query is empty"


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [PrometheusServer]
