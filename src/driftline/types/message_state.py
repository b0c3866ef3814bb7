"""The states of a message for a sink, as they are stored."""

from __future__ import annotations

from enum import StrEnum


class MessageState(StrEnum):
    """The state of a row of the outbox."""

    PENDING = "pending"
    """To be sent, for the first time or again."""
    SENDING = "sending"
    """Stored before the first byte is sent."""
    UNKNOWN = "unknown"
    """To be sent again; an earlier attempt may have arrived."""
    SENT = "sent"
    REFUSED = "refused"
    """A dead letter: the receiver will never take it as it is."""
    SUPERSEDED = "superseded"
    """No longer needed, and certainly not delivered."""
    POSSIBLY_SENT = "possibly sent"
    """No longer needed; an attempt may have arrived."""


DUE = (MessageState.PENDING, MessageState.UNKNOWN)
"""States of a message that is to be sent."""
UNDELIVERED = (MessageState.PENDING, MessageState.SENDING, MessageState.UNKNOWN)
"""States of a message that the receiver has not taken yet."""
