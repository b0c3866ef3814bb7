"""Times without a zone are those of the zone that the column has, in any type and format."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from driftline.config.columns import SchemaConfig
from driftline.ingest.columns.timestamps import to_micros
from driftline.types.time_form import TimeForm
from driftline.types.times import from_micros

BERLIN = TimeForm(zone="Europe/Berlin")
DAY_FIRST = TimeForm(format="%d/%m/%Y %H:%M", zone="Europe/Berlin")
SUMMER = datetime(2026, 7, 1, 10)  # noqa: DTZ001 - local


def read(value: object, kind: pa.DataType, form: TimeForm) -> str:
    """The time in UTC; empty where it is not usable."""
    times, usable = to_micros(pa.array([value], kind), form)
    return f"{from_micros(int(times[0])):%Y-%m-%d %H:%M}" if usable[0] else ""


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (SUMMER, pa.timestamp("ms")),
        ("2026-07-01 10:00", pa.string()),
        ("2026-07-01T08:00:00Z", pa.string()),
        ("2026/07/01 10:00", pa.string()),
        ("1 Jul 2026 10:00:00", pa.string()),
        ("20260701100000", pa.string()),
        (20260701100000, pa.int64()),
        (Decimal(20260701100000), pa.decimal128(38, 0)),
        (1782892800, pa.int64()),
        ("1782892800000", pa.string()),
        (datetime(2026, 7, 1, 8, tzinfo=ZoneInfo("UTC")), pa.timestamp("us", "UTC")),
        (b"2026-07-01 10:00", pa.binary()),
    ],
)
def test_only_a_time_without_a_zone_is_local(value: object, kind: pa.DataType) -> None:
    """Epoch numbers and times with an offset mean the same everywhere."""
    assert read(value, kind, BERLIN) == "2026-07-01 08:00"


def test_a_date_is_midnight_of_the_zone() -> None:
    assert read(date(2026, 7, 1), pa.date32(), BERLIN) == "2026-06-30 22:00"


def test_a_column_may_hold_local_times_and_others() -> None:
    texts = ["2026-07-01 10:00", "Wed, 01 Jul 2026 10:00:00 +0200", None, "2026-07-01T08:00:00Z"]
    times, usable = to_micros(pa.array(texts), BERLIN)
    assert usable.tolist() == [True, True, False, True]
    assert len(set(times[usable].tolist())) == 1


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-10-25 01:59", "2026-10-24 23:59"),
        ("2026-10-25 02:30", "2026-10-25 00:30"),
        ("2026-10-25 03:00", "2026-10-25 02:00"),
        ("2026-03-29 01:59", "2026-03-29 00:59"),
        ("2026-03-29 02:30", "2026-03-29 01:30"),
        ("2026-03-29 03:30", "2026-03-29 01:30"),
    ],
)
def test_of_a_repeated_hour_the_first_counts_and_a_skipped_one_moves_on(
    local: str, utc: str
) -> None:
    assert read(local, pa.string(), BERLIN) == utc


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
)
def test_a_year_of_local_times_is_read_as_python_reads_it(zone: str) -> None:
    clock = ZoneInfo(zone)
    moments = [datetime(2026, 1, 1) + timedelta(minutes=37 * step) for step in range(14_000)]  # noqa: DTZ001 - local
    times, usable = to_micros(pa.array(moments, pa.timestamp("us")), TimeForm(zone=zone))
    assert usable.all()
    expected = [round(moment.replace(tzinfo=clock).timestamp() * 1e6) for moment in moments]
    np.testing.assert_array_equal(times, expected)


@pytest.mark.parametrize(
    ("value", "kind", "form", "utc"),
    [
        ("03/04/2026 10:00", pa.string(), DAY_FIRST, "2026-04-03 08:00"),
        ("03/04/2026 10:00", pa.string(), TimeForm(format="%m/%d/%Y %H:%M"), "2026-03-04 10:00"),
        (" 03/04/2026 10:00 ", pa.string(), DAY_FIRST, "2026-04-03 08:00"),
        ("2026-04-03 10:00", pa.string(), DAY_FIRST, ""),
        ("31/04/2026 10:00", pa.string(), DAY_FIRST, ""),
        ("3.4.26 10 Uhr", pa.string(), TimeForm(format="%d.%m.%y %H Uhr"), "2026-04-03 10:00"),
        (2026040310, pa.int64(), TimeForm(format="%Y%m%d%H"), "2026-04-03 10:00"),
        (2026040310.0, pa.float64(), TimeForm(format="%Y%m%d%H"), "2026-04-03 10:00"),
        (Decimal(2026093), pa.decimal128(9, 0), TimeForm(format="%Y%j"), "2026-04-03 00:00"),
        (SUMMER, pa.timestamp("us"), DAY_FIRST, "2026-07-01 08:00"),
        (
            "03/04/26 10:00 -0700",
            pa.string(),
            TimeForm(format="%d/%m/%y %H:%M %z", zone="Europe/Berlin"),
            "2026-04-03 17:00",
        ),
    ],
)
def test_a_format_decides_what_a_text_or_number_means(
    value: object, kind: pa.DataType, form: TimeForm, utc: str
) -> None:
    assert read(value, kind, form) == utc


@pytest.mark.parametrize(
    "form", ["%d/%m/%Y %H:%M:%S", "%Y%m%d-%H%M", "%m.%d.%Y", "%H:%M %d/%m/%Y (x)", "%d-%m-%y"]
)
def test_a_format_is_read_as_strptime_reads_it(form: str) -> None:
    """Also texts that are nearly in the format, such as days that no month has."""
    rng = np.random.default_rng(15)
    texts = [
        (datetime(2026, 1, 1) + timedelta(seconds=int(step))).strftime(form)  # noqa: DTZ001 - local
        for step in rng.integers(0, 4 * 10**7, 300)
    ]
    digits = [str(digit) for digit in rng.integers(0, 10, 300)]
    texts += [
        text[:place] + digit + text[place + 1 :]
        for text, digit, place in zip(texts, digits, rng.integers(0, 8, 300), strict=True)
    ]
    texts += ["31/02/2026 10:00:00", "29/02/2028 10:00:00", "3/4/2026 1:02:03", "", "x"]

    def expected(text: str) -> int | None:
        try:
            at = datetime.strptime(text, form)  # noqa: DTZ007 - local
        except ValueError:
            return None
        return round((at - datetime(1970, 1, 1)).total_seconds() * 1e6)  # noqa: DTZ001 - local

    times, usable = to_micros(pa.array(texts), TimeForm(format=form))
    read = [time if ok else None for time, ok in zip(times.tolist(), usable, strict=True)]
    assert read == [expected(text) for text in texts]


@pytest.mark.parametrize(
    ("setting", "mistake"),
    [
        ({"zone": "Berlin"}, "no time zone"),
        ({"zone": "../etc"}, "no time zone"),
        ({"format": "%H:%M"}, "needs year, month and day"),
        ({"format": "dd/mm/yyyy"}, "needs year, month and day"),
        ({"format": "%d/%m/%Y %"}, "no format of strptime"),
    ],
)
def test_a_wrong_format_or_zone_is_a_mistake_of_the_configuration(
    setting: dict[str, str], mistake: str
) -> None:
    with pytest.raises(ValueError, match=mistake):
        SchemaConfig.model_validate({"timestamp": {"path": "t", **setting}})


def test_the_settings_reach_the_schema() -> None:
    config = SchemaConfig.model_validate(
        {"timestamp": {"path": "t", "format": "%d/%m/%Y", "zone": "Asia/Tokyo"}}
    )
    assert config.to_schema().time_form == TimeForm("%d/%m/%Y", "Asia/Tokyo")
