"""Packs the measurements of a window into one block of bytes, and reads it back.

A block has three parts, so that a reader decompresses only what it needs: the places of the
measurements in the dictionary, their figures, and what stands beside these. Numbers are kept byte
by byte over all measurements, which compresses well, and exactly: of quiet measurements alone the
p-value and the details are rounded to four digits before they are packed.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from driftline.state.series_dictionary import SeriesDictionary, SeriesEntry
from driftline.state.stored_measurement import StoredMeasurement, is_quiet
from driftline.types.records import WindowKey

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
VERDICTS = ("", "ok", "changed", "unsure", "error")
SEVERITIES = ("", "info", "warning", "critical")
BOUND_SIDES = ("", "above", "below", None)
QUIET_BITS = 14
"""Bits after the first of the p-value and the details of a quiet measurement: four digits."""
QUIET_PRECISION = 2.0**-QUIET_BITS
"""The largest relative error of these."""
NO_REFERENCE = -1
_EMPTY: Any = "{}"


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """The measurements of one window, packed."""

    places: bytes
    """Of each measurement in the dictionary."""
    figures: bytes
    details: bytes
    row_places: Sequence[int]
    """The place of each given row, in the order in which they were given."""


def pack_block(
    rows: Sequence[StoredMeasurement], dictionary: SeriesDictionary, *, exact: bool = False
) -> PackedBlock:
    """Pack the measurements of one window; new series are added to the dictionary.

    With `exact` the numbers of quiet measurements are kept as they are.
    """
    order = sorted(
        range(len(rows)),
        key=lambda place: (rows[place].check, rows[place].name, rows[place].labels),
    )
    rows = [rows[place] for place in order]
    places: list[int] = []
    numbers: list[float] = []
    others: list[Any] = []
    rounded: list[bool] = []
    for row in rows:
        is_rounded = not exact and is_quiet(row.verdict)
        keys: tuple[str, ...] = ()
        is_number: tuple[bool, ...] = ()
        if row.detail != _EMPTY:
            detail = msgspec.json.decode(row.detail)
            keys = tuple(detail)
            is_number = tuple(type(value) is float for value in detail.values())
            for value, is_float in zip(detail.values(), is_number, strict=True):
                (numbers if is_float else others).append(value)
            rounded += [is_rounded] * sum(is_number)
        places.append(
            dictionary.place(
                SeriesEntry(row.check, row.name, row.labels, row.unit, keys, is_number, row.was)
            )
        )
    quiet = np.array([not exact and is_quiet(row.verdict) for row in rows], bool)
    p_values = _round_quiet(_floats([row.p_value for row in rows]), quiet)
    texts = [[row.reason for row in rows if row.reason], others]
    ids = np.array([row.reference_id for row in rows if row.reference_id is not None], np.int64)
    references = np.full(len(rows), NO_REFERENCE, np.int64)
    references[[row.reference_id is not None for row in rows]] = ids
    row_places = dict(zip(order, places, strict=True))
    entries = dictionary.entries
    was = [
        row.was if entries[place].was is None else None
        for row, place in zip(rows, places, strict=True)
    ]
    return PackedBlock(
        row_places=[row_places[place] for place in range(len(rows))],
        places=_compress(_shuffle(np.diff(places, prepend=0).astype("<i4"))),
        figures=_compress(
            b"".join(
                (
                    _shuffle(_floats([row.value for row in rows])),
                    _shuffle(_floats([row.low for row in rows])),
                    _shuffle(_floats([row.high for row in rows])),
                    _shuffle(_floats(was)),
                    _shuffle(np.array([row.rows for row in rows], "<i8")),
                    bytes(VERDICTS.index(row.verdict) for row in rows),
                    bytes(SEVERITIES.index(row.severity) for row in rows),
                    bytes(bool(row.reason) for row in rows),
                )
            )
        ),
        details=_compress(
            b"".join(
                (
                    _shuffle(p_values),
                    _shuffle(_floats([row.bound_value for row in rows])),
                    _shuffle(references),
                    _shuffle(np.array([row.revision for row in rows], "<i8")),
                    bytes(BOUND_SIDES.index(row.bound_side) for row in rows),
                    _pack_repeats(_round_quiet(np.array(numbers, "<f8"), np.array(rounded, bool))),
                    msgspec.json.encode(texts),
                )
            )
        ),
    )


_FIGURES = ("value", "low", "high", "was")


def unpack_places(places: bytes) -> Ints:
    """The places of the measurements of a block in its dictionary, shape (J,)."""
    return np.cumsum(_unshuffle(_decompress(places), "<i4"), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Block:
    """The measurements of one window; some are selected."""

    key: WindowKey
    dictionary: SeriesDictionary
    places: Ints
    """Of all J measurements of the window in the dictionary, shape (J,)."""
    selected: Ints
    """Which of the J are selected, in order, shape (N,)."""
    packed_figures: bytes
    packed_details: bytes

    @cached_property
    def _figures(self) -> bytes:
        return _decompress(self.packed_figures)

    @cached_property
    def _details(self) -> bytes:
        return _decompress(self.packed_details)

    def figure(self, name: str) -> Floats:
        """`value`, `low`, `high` or `was` of the selected; NaN for none, shape (N,)."""
        values = self._planes(self._figures, 8 * _FIGURES.index(name), "<f8")
        if name == "was":
            shared = self.dictionary.was[self.places[self.selected]]
            return np.where(np.isnan(shared), values, shared)
        return values

    @property
    def rows(self) -> Ints:
        """The rows behind each selected measurement, shape (N,)."""
        return self._planes(self._figures, 32, "<i8")

    @property
    def verdicts(self) -> NDArray[np.uint8]:
        """Places in VERDICTS, shape (N,)."""
        return self._codes(self._figures, 40)

    @property
    def severities(self) -> NDArray[np.uint8]:
        """Places in SEVERITIES, shape (N,)."""
        return self._codes(self._figures, 41)

    @property
    def p_values(self) -> Floats:
        """NaN for none, shape (N,)."""
        return self._planes(self._details, 0, "<f8")

    @property
    def revisions(self) -> Ints:
        """The revision of the window in which each selected one was measured, shape (N,)."""
        return self._planes(self._details, 24, "<i8")

    @property
    def selected_entries(self) -> list[SeriesEntry]:
        """The entries of the selected measurements in the dictionary."""
        entries = self.dictionary.entries
        return [entries[place] for place in self.places[self.selected].tolist()]

    def select(self, selected: Ints) -> Block:
        """The same block with other measurements selected: places among all J."""
        return replace(self, selected=selected)

    def reasons(self) -> list[str]:
        """The reasons of the selected measurements; the details are read only if there are any."""
        if not self._codes(self._figures, 42).any():
            return [""] * len(self.selected)
        texts = iter(self._texts[0])
        has_reason = self._all_codes(self._figures, 42).tolist()
        reasons = [next(texts) if has else "" for has in has_reason]
        return [reasons[place] for place in self.selected.tolist()]

    def measurements(self) -> list[StoredMeasurement]:
        """The selected measurements with all that is stored of them, by check, name and labels."""
        key, details = self.key, self._details
        columns = zip(
            self.selected_entries,
            *(_optional(self.figure(name)) for name in _FIGURES),
            self.rows.tolist(),
            self.verdicts.tolist(),
            self.severities.tolist(),
            self.reasons(),
            _optional(self.p_values),
            _optional(self._planes(details, 8, "<f8")),
            self._planes(details, 16, "<i8").tolist(),
            self.revisions.tolist(),
            self._codes(details, 32).tolist(),
            self._detail_texts(),
            strict=True,
        )
        return [
            StoredMeasurement(
                model=key.model,
                start=key.start,
                version=key.version,
                segment=key.segment,
                check=entry.check,
                name=entry.name,
                labels=entry.labels,
                unit=entry.unit,
                value=value,
                low=low,
                high=high,
                was=was,
                rows=rows,
                verdict=VERDICTS[verdict],
                severity=SEVERITIES[severity],
                reason=reason,
                p_value=p_value,
                bound_value=bound,
                reference_id=None if reference == NO_REFERENCE else reference,
                revision=revision,
                bound_side=BOUND_SIDES[side],
                detail=detail,
            )
            for (
                entry,
                value,
                low,
                high,
                was,
                rows,
                verdict,
                severity,
                reason,
                p_value,
                bound,
                reference,
                revision,
                side,
                detail,
            ) in columns
        ]

    @cached_property
    def _texts(self) -> tuple[list[str], list[Any]]:
        """The reasons, and the details that are no floats."""
        reasons, others = msgspec.json.decode(self._details[self._detail_numbers[1] :])
        return reasons, others

    @cached_property
    def _detail_numbers(self) -> tuple[Floats, int]:
        """The details that are floats, and where they end."""
        return _unpack_repeats(self._details, 33 * len(self.places))

    def _detail_texts(self) -> list[str]:
        """The details of the selected measurements, as JSON."""
        entries = [self.dictionary.entries[place] for place in self.places.tolist()]
        numbers = iter(self._detail_numbers[0].tolist())
        others = iter(self._texts[1])
        wanted = set(self.selected.tolist())
        texts: dict[int, str] = {}
        for place, entry in enumerate(entries):
            detail = {
                key: next(numbers if is_float else others)
                for key, is_float in zip(entry.keys, entry.is_number, strict=True)
            }
            if place in wanted:
                texts[place] = msgspec.json.encode(detail).decode() if detail else _EMPTY
        return [texts[place] for place in self.selected.tolist()]

    def _planes(self, content: bytes, begin: int, dtype: str) -> NDArray[Any]:
        """Numbers of eight bytes of the selected; `begin` is the bytes of a measurement before."""
        count = len(self.places)
        planes = np.frombuffer(content, np.uint8, 8 * count, begin * count).reshape(8, count)
        return np.ascontiguousarray(planes[:, self.selected].T).view(dtype).reshape(-1)

    def _codes(self, content: bytes, begin: int) -> NDArray[np.uint8]:
        codes: NDArray[np.uint8] = self._all_codes(content, begin)[self.selected]
        return codes

    def _all_codes(self, content: bytes, begin: int) -> NDArray[np.uint8]:
        count = len(self.places)
        return np.frombuffer(content, np.uint8, count, begin * count)


def dump_detail(detail: Mapping[str, str | float | int | None]) -> str:
    """The details of a measurement as JSON."""
    return _encoder.encode(detail).decode() if detail else _EMPTY


def _plain(fact: object) -> str | float | int:
    """A number or text as a type that JSON has; numpy's and enumerations' are of other types."""
    for plain in (float, int, str):
        if isinstance(fact, plain):
            return plain(fact)
    raise TypeError(f"a detail that is {type(fact).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def _floats(values: Iterable[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], "<f8")


def _optional(values: Floats) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


def _round_quiet(values: Floats, is_rounded: NDArray[np.bool_]) -> Floats:
    """Round some values to QUIET_BITS bits after the first."""
    if not is_rounded.any():
        return values
    mantissa, exponent = np.frexp(values)
    scale = 2.0 ** (QUIET_BITS + 1)
    with np.errstate(over="ignore"):
        nearest = np.ldexp(np.rint(mantissa * scale) / scale, exponent)
    return np.where(is_rounded & np.isfinite(nearest), nearest, values).astype("<f8")


def _pack_repeats(values: Floats) -> bytes:
    """Pack numbers that often repeat, such as the mean of a column."""
    bits, first, inverse = np.unique(values.view("<u8"), return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    index = place[inverse]
    # A number that is new has code 0, another one the distance to the newest before it.
    newest = np.maximum.accumulate(index) if len(index) else index
    is_new = np.diff(newest, prepend=-1) > 0
    codes = np.where(is_new, 0, newest - index + 1).astype("<u4")
    counts = _COUNTS.pack(len(codes), len(order))
    return counts + _shuffle(codes) + _shuffle(bits[order])


def _unpack_repeats(content: bytes, begin: int) -> tuple[Floats, int]:
    """The numbers that `_pack_repeats` packed at `begin`, and where they end."""
    count, different = _COUNTS.unpack_from(content, begin)
    begin += _COUNTS.size
    middle, end = begin + 4 * count, begin + 4 * count + 8 * different
    codes = _unshuffle(content[begin:middle], "<u4").astype(np.int64)
    newest = np.cumsum(codes == 0) - 1
    index = np.where(codes == 0, newest, newest - codes + 1)
    return _unshuffle(content[middle:end], "<f8")[index], end


_COUNTS = struct.Struct("<II")


def _compress(content: bytes) -> bytes:
    """Deflate without the header and the checksum: of small windows they are much."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def _decompress(content: bytes) -> bytes:
    return zlib.decompress(content, wbits=-zlib.MAX_WBITS)


def _shuffle(values: NDArray[Any]) -> bytes:
    """The first bytes of all values, then their second ones, and so on."""
    size = values.dtype.itemsize
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, size).T.tobytes()


def _unshuffle(content: bytes, dtype: str) -> NDArray[Any]:
    size = np.dtype(dtype).itemsize
    planes = np.frombuffer(content, np.uint8).reshape(size, -1)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(-1)
