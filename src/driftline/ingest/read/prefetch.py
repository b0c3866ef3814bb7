"""Decoding ahead: the next batch is decoded while this one is profiled.

Refuses to hold more than a few batches, and to change their order or the place of an error among
them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
HELD = 2


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterable[T]) -> Generator[T]:
    """The same items, made in a thread of their own, at most `HELD` ahead. What making them raises
    comes in its place.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(HELD)
    left = threading.Event()

    def put(item: T | _End) -> bool:
        while not left.is_set():
            try:
                waiting.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End(None))
        except BaseException as error:
            put(_End(error))

    threading.Thread(target=make, name="decode", daemon=True).start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        left.set()
