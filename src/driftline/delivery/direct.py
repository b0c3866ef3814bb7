"""Marks a send that does not come from the outbox: whether this agent leads is not asked for it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

_IS_DIRECT: ContextVar[bool] = ContextVar("is_direct", default=False)


def mark_direct() -> None:
    """Mark everything that this thread sends from now on."""
    _IS_DIRECT.set(True)


def ask_unless_direct(permit: Callable[[], None]) -> Callable[[], None]:
    """Return `permit`, which is not called in a thread that is marked."""

    def ask() -> None:
        if not _IS_DIRECT.get():
            permit()

    return ask
