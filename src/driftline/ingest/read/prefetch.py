"""Decodes ahead: the next batch is decoded while the current one is profiled.

Holds a few batches only, and keeps their order and the place of an error among them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
QUEUE_SIZE = 2


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterable[T]) -> Generator[T]:
    """The same items, made in a thread of their own, at most QUEUE_SIZE ahead.

    An error of `items` is raised in its place. Closing the generator ends the thread.
    """
    ready: queue.Queue[T | _End] = queue.Queue(QUEUE_SIZE)
    closing = threading.Event()

    def put(item: T | _End) -> bool:
        while not closing.is_set():
            try:
                ready.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End(None))
        except BaseException as error:
            put(_End(error))

    threading.Thread(target=produce, name="decode", daemon=True).start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        closing.set()
