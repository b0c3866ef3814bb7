"""Compares the length of stored windows with the configured one."""

from __future__ import annotations

from datetime import timedelta

from driftline.agent.model_settings import ModelSettings
from driftline.state import windows
from driftline.state.store import Store


def explain_other_length(store: Store, settings: ModelSettings) -> str:
    """Return why stored windows can't be compared with new ones; empty when they can."""
    with store.read() as connection:
        stored_length = windows.load_length(connection, settings.name)
    if stored_length in (None, settings.window_length):
        return ""
    return (
        f"windows.length of {settings.name} was {timedelta(microseconds=stored_length or 0)} and "
        f"is now {settings.config.windows.length}: windows of two lengths can't be compared; "
        "set it back, or give the model another name"
    )
