"""Decompresses gzip, bzip2 and zstd streams, recognised by their first bytes, not by their names.

Two limits stop decompression bombs. Before a cut or damaged place, all earlier bytes are returned,
so that whole rows there are not lost.
"""

from __future__ import annotations

import bz2
import io
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

from driftline.types.errors import Unreadable

BLOCK = 1 << 18
AHEAD = 1 << 19
CRUMB = 256
"""Decompressed bytes of a zstd stream that an error may cost."""
FREE = 16 << 20
"""Decompressed bytes below which no ratio is too high: logs of equal lines pack very well."""


class PlainStream(io.RawIOBase, BinaryIO):
    """A stream of plain bytes that knows how it was compressed."""

    codec = ""
    """`gzip`, `bz2`, `zstd`, or empty for plain bytes."""

    @property
    def compressed(self) -> bool:
        """Whether the stored bytes are compressed, so that reading can't resume at an offset."""
        return bool(self.codec)

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with one `read`; returns the number of bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


ZIP = b"PK\x03\x04"
"""The first bytes of a zip archive, which holds files of any number and kind."""


def open_decompressed(
    stream: BinaryIO, *, max_bytes: int = 1 << 30, max_ratio: float = 200
) -> PlainStream:
    """The plain bytes of all members and frames of `stream`.

    Raises Unreadable for a zip archive. Reading raises it at a cut or damaged place, after all
    bytes before it were read, and when the output is more than `max_bytes` or, after FREE bytes,
    more than `max_ratio` times the input.
    """
    head = b""
    while len(head) < 10 and (more := stream.read(10 - len(head))):
        head += more
    if head[:4] == ZIP:
        raise Unreadable("it is a zip archive: unpack it, or pack it with gzip, bzip2 or zstd")
    codec = _codec(head)
    if not codec:
        return _Headed(head, stream)
    feed = _Counted(head, stream)
    pieces: _Pieces = (
        _Zstd(feed)
        if codec == "zstd"
        else _Members(feed, _Gzip if codec == "gzip" else bz2.BZ2Decompressor)
    )
    return _Plain(pieces=pieces, feed=feed, codec=codec, max_bytes=max_bytes, max_ratio=max_ratio)


def _codec(head: bytes) -> str:
    if head[:3] == b"\x1f\x8b\x08":
        return "gzip"
    if head[:3] == b"BZh" and head[4:10] in (
        b"\x31\x41\x59\x26\x53\x59",
        b"\x17\x72\x45\x38\x50\x90",
    ):
        return "bz2"
    if head[:4] == b"\x28\xb5\x2f\xfd" or (
        head[1:4] == b"\x2a\x4d\x18" and head[:1] and 0x50 <= head[0] <= 0x5F
    ):
        return "zstd"
    return ""


class _Pieces(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Headed(PlainStream):
    """A stream whose first bytes were read already and are put in front again."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int | None = -1) -> bytes:
        length = -1 if size is None else size
        if not self._head:
            return self._stream.read(length)
        head = self._head if length < 0 else self._head[:length]
        self._head = self._head[len(head) :]
        return head + self._stream.read() if length < 0 else head

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Counted(_Headed):
    """The compressed bytes: counts those that were read, and looks a little ahead."""

    bytes_read = 0
    ending = False
    """Whether the end of the stream was reached while looking ahead."""
    _ahead = b""

    def look(self) -> None:
        """Look ahead without reading anything."""
        self.read(0)

    def read(self, size: int | None = -1) -> bytes:
        length = BLOCK if size is None or size < 0 else size
        while not self.ending and len(self._ahead) < length + AHEAD:
            more = super().read(length + AHEAD - len(self._ahead))
            self._ahead += more
            self.ending = not more
        data, self._ahead = self._ahead[:length], self._ahead[length:]
        self.bytes_read += len(data)
        return data


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _Gzip:
    """One gzip member with the interface of `bz2.BZ2Decompressor`, which buffers its input."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._member.decompress(self._member.unconsumed_tail + data, max(max_length, 0))


class _Members:
    """gzip members or bzip2 streams, one after another."""

    def __init__(self, feed: _Counted, make: Callable[[], _Decompressor]) -> None:
        self._feed, self._make = feed, make
        self._member = make()
        self._begun = False

    def read(self, size: int) -> bytes:
        while True:
            if self._member.eof:
                next_bytes = self._member.unused_data.lstrip(b"\0") or self._feed.read(
                    BLOCK
                ).lstrip(b"\0")
                if not next_bytes:
                    return b""
                self._member, self._begun = self._make(), True
                out = self._member.decompress(next_bytes, size)
            else:
                # The member's buffer may be enough: read more input only when it yields nothing.
                out = self._member.decompress(b"", size) if self._begun else b""
                if not out and not self._member.eof:
                    data = self._feed.read(BLOCK)
                    if not data:
                        raise EOFError("the packed data stops inside a member")
                    self._begun = True
                    out = self._member.decompress(data, size)
            if out:
                return out


class _Zstd:
    """zstd frames, one after another."""

    def __init__(self, feed: _Counted) -> None:
        import pyarrow as pa

        self._feed = feed
        self._stream = pa.CompressedInputStream(pa.PythonFile(feed, mode="r"), "zstd")
        feed.look()

    def read(self, size: int) -> bytes:
        # An error loses what the same call decompressed before it: near the end, calls are small.
        return cast(bytes, self._stream.read(min(size, CRUMB) if self._feed.ending else size))


class _Plain(PlainStream):
    """The decompressed bytes. An error is raised only after all bytes before it were read."""

    def __init__(
        self, *, pieces: _Pieces, feed: _Counted, codec: str, max_bytes: int, max_ratio: float
    ) -> None:
        self._pieces, self._feed, self.codec = pieces, feed, codec
        self._max_bytes, self._max_ratio = max_bytes, max_ratio
        self._bytes_out = 0
        self._error: Unreadable | None = None

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes; fewer only at the end or before an error."""
        left = -1 if size is None else size
        parts: list[bytes] = []
        while left and self._error is None:
            piece = self._piece(BLOCK if left < 0 else min(left, BLOCK))
            if not piece:
                break
            parts.append(piece)
            left -= len(piece) if left > 0 else 0
        if not parts and self._error is not None and size != 0:
            raise self._error
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def _piece(self, size: int) -> bytes:
        try:
            piece = bytes(self._pieces.read(size))
        except (EOFError, OSError, zlib.error) as error:
            if isinstance(error, EOFError) or "Truncated" in str(error):
                self._error = Unreadable(
                    f"ends in the middle: the {self.codec} data is cut after {self._bytes_out:,} "
                    "unpacked bytes"
                )
            else:
                self._error = Unreadable(
                    f"the {self.codec} data is damaged after {self._bytes_out:,} unpacked bytes: "
                    f"{error}"
                )
            return b""
        self._bytes_out += len(piece)
        if self._bytes_out > self._max_bytes:
            self._error = Unreadable(
                f"unpacks to more than {self._max_bytes:,} bytes: a bomb, or split it"
            )
            return b""
        if self._bytes_out > FREE and self._bytes_out > self._max_ratio * max(
            self._feed.bytes_read, 1
        ):
            self._error = Unreadable(
                f"unpacks to more than {self._max_ratio:g} times its size: a bomb, or raise the "
                "limit"
            )
            return b""
        return piece

    def close(self) -> None:
        self._feed.close()
        super().close()
