"""Opens objects of a source, and turns its unknown exceptions into errors that are tried again.

An exception that a source did not foresee says nothing about the object: the object waits and is
tried again. The same exception from a format says that the content can't be decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar, cast

from driftline.contracts.source import Source
from driftline.types.errors import DriftlineError, SourceError
from driftline.types.model import LogObject

T = TypeVar("T")
READ_METHODS = frozenset(
    {"read", "read1", "readinto", "readinto1", "readline", "readlines", "seek", "tell"}
)
"""Methods of a stream that may send a request."""


def open_object(source: Source, obj: LogObject, start: int = 0) -> BinaryIO:
    """Return the bytes of an object from `start` on.

    Opening and reading raise driftline's errors, OSError and NotImplementedError only.
    """
    return cast(BinaryIO, _SourceStream(translate_unknown(source.open, obj, start)))


def open_reference(source: Source) -> Callable[[str], BinaryIO]:
    """Return the source's `open_reference`, with the same errors as `open_object`."""

    def open_other(uri: str) -> BinaryIO:
        return cast(BinaryIO, _SourceStream(translate_unknown(source.open_reference, uri)))

    return open_other


def iterate(items: Iterator[T]) -> Iterator[T]:
    """Yield the items that a source makes, with the same errors as `open_object`."""
    end = object()
    while True:
        item = translate_unknown(next, items, end)
        if item is end:
            return
        yield cast(T, item)


def translate_unknown(call: Callable[..., T], *args: Any) -> T:
    """Return `call(*args)`. Raises SourceError for an exception that the source did not foresee."""
    try:
        return call(*args)
    except (DriftlineError, OSError, NotImplementedError):
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise SourceError(f"the source raised {type(error).__name__}: {text}") from error


class _SourceStream:
    """A stream of a source, whose unknown exceptions are translated while it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._stream, name)
        if name not in READ_METHODS:
            return attribute

        def read(*args: Any) -> Any:
            return translate_unknown(attribute, *args)

        setattr(self, name, read)
        return read

    def __enter__(self) -> _SourceStream:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[bytes]:
        return iterate(iter(self._stream))
