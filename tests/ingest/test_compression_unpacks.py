"""Packed streams: found by their bytes, read to their last member, stopped at a cut or a bomb."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import zipfile
from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import Unreadable
from driftline.ingest.read.compression import open_decompressed
from driftline.kit.decoding.line_chunks import LineChunks

pytestmark = pytest.mark.system


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


PACK = {"gzip": gzip.compress, "bz2": lambda data: bz2.compress(data, 1), "zstd": zstd}
NOISE = random.Random(5).randbytes(600_000)


class Slow(io.RawIOBase):
    """Gives one to three bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 3) if size >= 0 else -1)


@pytest.mark.parametrize("codec", PACK)
def test_every_member_is_read(codec):
    """Members and frames one after another are one stream, however the bytes arrive."""
    packed = PACK[codec](b"one\n") + PACK[codec](b"") + PACK[codec](b"two\n" * 1000)
    for stream in (io.BytesIO(packed), Slow(packed)):
        plain = open_decompressed(stream)
        assert (plain.codec, plain.compressed) == (codec, True)
        assert plain.read() == b"one\n" + b"two\n" * 1000
        assert plain.read() == b""


@pytest.mark.parametrize("codec", PACK)
def test_what_stands_before_a_cut_is_given(codec):
    """A cut stream gives nearly all of what it holds and then says that it is cut."""
    plain = open_decompressed(io.BytesIO(PACK[codec](NOISE)[:500_000]))
    got: list[bytes] = []
    with pytest.raises(Unreadable, match="ends in the middle"):
        got.extend(iter(lambda: plain.read(50_000), b""))
    assert NOISE.startswith(b"".join(got))
    assert len(b"".join(got)) > 350_000


@pytest.mark.parametrize("codec", PACK)
def test_whole_lines_before_a_cut_are_given(codec):
    """Through the line reader too: all whole lines, then the error."""
    lines = b"".join(b"%d %d\n" % (i, i * 7919 % 104729) for i in range(200_000))
    packed = PACK[codec](lines)
    got = []
    with pytest.raises(Unreadable, match="ends in the middle"):
        got.extend(
            chunk.data
            for chunk in LineChunks(
                open_decompressed(io.BytesIO(packed[: len(packed) * 9 // 10])), True
            )
        )
    assert lines.startswith(b"".join(got))
    assert len(b"".join(got)) > len(lines) // 2


@pytest.mark.parametrize("codec", PACK)
def test_garbage_after_the_end_is_damage(codec):
    """What was packed is given (of zstd all but a crumb); what follows and is no member is told."""
    good = b"good\n" * 2000
    plain = open_decompressed(io.BytesIO(PACK[codec](good) + b"garbage garbage"))
    got = plain.read()
    assert good.startswith(got)
    assert len(got) > len(good) - 257
    with pytest.raises(Unreadable, match="damaged"):
        plain.read()


def test_zeros_after_gzip_are_padding():
    """Tapes and block stores fill up with zeros: no error."""
    assert open_decompressed(io.BytesIO(gzip.compress(b"x") + b"\0" * 500)).read() == b"x"


def test_plain_bytes_pass():
    """What is not packed comes as it is, from streams that seek and those that don't."""
    for data in (b"", b"a", b'{"a":1}\n' * 10, b"\x1f\x8bno", b"BZh9 is a word"):
        for stream in (io.BytesIO(data), Slow(data)):
            plain = open_decompressed(stream)
            assert not plain.compressed
            assert plain.read() == data


def test_a_stream_is_taken_from_where_it_stands():
    """Reading on in the middle of an object looks at the bytes there."""
    stream = io.BytesIO(b"skip" + gzip.compress(b"rest"))
    stream.seek(4)
    assert open_decompressed(stream).read() == b"rest"


@pytest.mark.parametrize("codec", PACK)
def test_bombs_are_stopped(codec):
    """By size and by ratio, with memory for a piece at a time."""
    bomb = PACK[codec](b"\0" * (40 << 20))
    for limits in ({"max_bytes": 1 << 20, "max_ratio": 1e9}, {"max_ratio": 20}):
        plain = open_decompressed(io.BytesIO(bomb), **limits)
        got: list[int] = []
        with pytest.raises(Unreadable, match="bomb"):
            got.extend(map(len, iter(partial(plain.read, 1 << 16), b"")))
        assert sum(got) <= 18 << 20


def test_logs_that_pack_well_are_no_bombs():
    """A few MB of equal lines pack a thousandfold and are read."""
    data = b'{"a":1}\n' * 1_000_000
    assert len(open_decompressed(io.BytesIO(gzip.compress(data))).read()) == len(data)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.binary(max_size=3000), min_size=1, max_size=4),
    st.sampled_from(sorted(PACK)),
    st.integers(1, 5000),
)
def test_any_bytes_in_any_reads(parts, codec, size):
    """Reads of any size give the bytes that were packed."""
    plain = open_decompressed(io.BytesIO(b"".join(PACK[codec](part) for part in parts)))
    got = []
    while piece := plain.read(size):
        got.append(piece)
    assert b"".join(got) == b"".join(parts)


def test_a_zip_archive_says_what_to_do():
    """It is no log that can be read, and no file of zero rows either."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.csv", "t,x\n1,2\n")
    archive.seek(0)
    with pytest.raises(Unreadable, match="a zip archive: unpack it"):
        open_decompressed(archive)
