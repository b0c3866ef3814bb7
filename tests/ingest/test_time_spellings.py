"""Times in every spelling that logs have, read as the same instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime

import numpy as np
import pyarrow as pa
import pytest

from driftline.ingest.columns.timestamps import to_micros

INSTANTS = 20_000
SLOW_INSTANTS = 1_000_000
SECOND, MILLI = 10**6, 10**3
WEST = timezone(timedelta(hours=-7))
TEN = 1793527200 * SECOND  # 2026-11-01 10:00:00 UTC


def _at(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _strings(form: Callable[[datetime], str]) -> Callable[[list[int]], pa.Array]:
    return lambda times: pa.array([form(_at(time)) for time in times], pa.string())


def _values(form: Callable[[int], object], kind: pa.DataType) -> Callable[[list[int]], pa.Array]:
    return lambda times: pa.array([form(time) for time in times], kind)


def _decimal_seconds(time: int) -> str:
    return f"{time // SECOND}.{time % SECOND:06}"


def _rfc_850(at: datetime) -> str:
    """Its years have two digits, which mean 1969 to 2068."""
    form = "%A, %d-%b-%y %H:%M:%S GMT" if at.year < 2069 else "%a, %d %b %Y %H:%M:%S GMT"
    return at.strftime(form)


SPELLINGS: dict[str, tuple[int, Callable[[list[int]], pa.Array]]] = {
    "ISO": (1, _strings(lambda at: at.isoformat())),
    "ISO without zone": (1, _strings(lambda at: at.strftime("%Y-%m-%d %H:%M:%S.%f"))),
    "nanoseconds": (1, _strings(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z"))),
    "UTC": (1, _strings(lambda at: at.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))),
    "GMT": (SECOND, _strings(lambda at: at.strftime("%Y-%m-%d %H:%M:%S GMT"))),
    "Z[UTC]": (1, _strings(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%fZ[UTC]"))),
    "offset": (1, _strings(lambda at: at.astimezone(WEST).strftime("%Y-%m-%d %H:%M:%S.%f %z"))),
    "slashes": (1, _strings(lambda at: at.strftime("%Y/%m/%d_%H:%M:%S,%f"))),
    "Go": (1, _strings(lambda at: at.strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC"))),
    "compact": (SECOND, _strings(lambda at: at.strftime("%Y%m%d%H%M%S"))),
    "compact ms": (MILLI, _strings(lambda at: at.strftime("%Y%m%d%H%M%S%f")[:17])),
    "RFC 2822": (SECOND, _strings(lambda at: format_datetime(at.astimezone(WEST)))),
    "HTTP": (SECOND, _strings(lambda at: format_datetime(at, usegmt=True))),
    "CLF": (SECOND, _strings(lambda at: at.astimezone(WEST).strftime("[%d/%b/%Y:%H:%M:%S %z]"))),
    "compact minutes": (60 * SECOND, _strings(lambda at: at.strftime("%Y%m%d%H%M"))),
    "RFC 850": (SECOND, _strings(_rfc_850)),
    "ctime": (SECOND, _strings(lambda at: at.strftime("%a %b %e %H:%M:%S %Y"))),
    "Java": (SECOND, _strings(lambda at: at.strftime("%a %b %d %H:%M:%S UTC %Y"))),
    "small letters": (1, _strings(lambda at: at.strftime("%Y-%m-%dt%H:%M:%S.%fz"))),
    "UTC offset": (1, _strings(lambda at: at.astimezone(WEST).strftime("%F %T.%f UTC-07:00"))),
    ".NET": (MILLI, _strings(lambda at: f"/Date({(at - _at(0)) // timedelta(milliseconds=1)})/")),
    "compact ISO": (SECOND, _strings(lambda at: at.strftime("%Y%m%dT%H%M%SZ"))),
    "dots": (SECOND, _strings(lambda at: at.strftime("%Y.%m.%d %H:%M:%S"))),
    "short offset": (1, _strings(lambda at: at.strftime("%Y-%m-%d %H:%M:%S.%f+00"))),
    "ZonedDateTime": (
        1,
        _strings(
            lambda at: at.astimezone(WEST).strftime("%Y-%m-%dT%H:%M:%S.%f-07:00[America/Phoenix]")
        ),
    ),
    "[UTC]": (1, _strings(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f[UTC]"))),
    "date": (86_400 * SECOND, _strings(lambda at: at.strftime("%Y-%m-%d"))),
    "compact date": (86_400 * SECOND, _strings(lambda at: at.strftime("%Y%m%d"))),
    "dictionary": (1, lambda times: _strings(datetime.isoformat)(times).dictionary_encode()),
    "timestamp ns": (1, _values(_at, pa.timestamp("ns", "Asia/Tokyo"))),
    "timestamp s": (SECOND, _values(_at, pa.timestamp("s"))),
    "date32": (86_400 * SECOND, _values(lambda time: _at(time).date(), pa.date32())),
    "date64": (86_400 * SECOND, _values(lambda time: _at(time).date(), pa.date64())),
    "seconds": (SECOND, _values(lambda time: time // SECOND, pa.int64())),
    "float seconds": (1, _values(lambda time: time / SECOND, pa.float64())),
    "seconds with decimals": (1, _values(_decimal_seconds, pa.string())),
    "decimal seconds": (1, _values(lambda t: Decimal(t).scaleb(-6), pa.decimal128(18, 6))),
    "us": (1, _values(lambda time: time, pa.int64())),
    "float ms": (MILLI, _values(lambda time: time / MILLI, pa.float64())),
    "unsigned ns": (1, _values(lambda time: time * 1000, pa.uint64())),
    "decimal ms": (MILLI, _values(lambda time: Decimal(time // MILLI), pa.decimal128(38, 0))),
    "ms as text": (MILLI, _values(lambda time: str(time // MILLI), pa.string_view())),
    "ns as text": (1, _values(lambda time: str(time * 1000), pa.string())),
    "ns as bytes": (1, _values(lambda time: str(time * 1000).encode(), pa.binary_view())),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_an_instant_is_read_back_from_each_spelling(name: str) -> None:
    """20,000 instants between 1984 and 2083, each in one of the spellings."""
    _round_trip(name, INSTANTS // len(SPELLINGS))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPELLINGS)
def test_a_million_instants_are_read_back(name: str) -> None:
    _round_trip(name, SLOW_INSTANTS // len(SPELLINGS))


def _round_trip(name: str, count: int) -> None:
    unit, write = SPELLINGS[name]
    times = np.random.default_rng(15).integers(TEN // 4, 2 * TEN, count) // unit * unit
    read, usable = to_micros(write(times.tolist()))
    assert usable.all()
    np.testing.assert_allclose(read, times, rtol=0, atol=1 if "seconds" in name else 0)


def test_spellings_may_differ_from_row_to_row() -> None:
    spellings = [write([TEN])[0].as_py() for unit, write in SPELLINGS.values() if unit <= SECOND]
    texts = [text for text in spellings if isinstance(text, str)]
    read, usable = to_micros(pa.array([*texts, "no time"]))
    assert usable.tolist() == [True] * len(texts) + [False]
    assert (read[:-1] == TEN).all()


@pytest.mark.parametrize("text", ["1709120512345", "1793527200000", "1699999999999"])
def test_digits_alone_are_a_number_before_they_are_a_date(text: str) -> None:
    read, _ = to_micros(pa.array([text, "-"]))
    assert read[0] == int(text) * 1000


@pytest.mark.parametrize(
    "text", ["03/04/2026 10:00", "Sun, 01 Nov 2026 10:00:00 CET", "2026-02-30 10:00", "nan", "1_0"]
)
def test_a_time_with_more_than_one_meaning_is_not_read(text: str) -> None:
    assert not to_micros(pa.array([text, "2026-11-01"]))[1][0]


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(38, 0)])
def test_compact_dates_are_read_from_numbers(kind: pa.DataType) -> None:
    read, _ = to_micros(pa.array([20261101100000, 20261101]).cast(kind))
    assert read.tolist() == [TEN, TEN - 10 * 3600 * SECOND]
