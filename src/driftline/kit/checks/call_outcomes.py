"""What an answer to a call means: a status of HTTP or gRPC, a plain word, or the text of an error.

Sources: RFC 9110 (HTTP); the status codes of gRPC, and their HTTP mapping in google/rpc/code.proto.
"""

from __future__ import annotations

import re
from enum import IntEnum


class Outcome(IntEnum):
    """How a call ended. Where two columns tell an outcome, the greater one counts."""

    UNKNOWN = 0
    ANSWER = 1
    FAILURE = 2
    TIMEOUT = 3


TIMEOUT_CODES = frozenset({408, 504, 524})
RPC_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""Names of gRPC's status codes, by number."""
RPC_FAILURES = frozenset({"UNKNOWN", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Codes that Google maps to HTTP 500 to 503."""
ANSWER_WORDS = frozenset({"OK", "SUCCESS", "SUCCEEDED", "COMPLETED"})
FAILURE_WORDS = frozenset({"ERROR", "FAILED", "FAILURE", "EXCEPTION", "FAULT"})
NO_ERROR = frozenset({"", "0", "NO", "OK", "NONE", "NULL", "SUCCESS", "NAN", "[]", "200"})
"""Contents of a column of errors that mean that there was none, in capitals."""
TIMEOUT_WORDS = re.compile(r"time[ _-]?d?[ _-]?out|deadline", re.IGNORECASE)


def outcome_of_status(status: str) -> Outcome:
    """Return the outcome that a status means: a code of HTTP or gRPC as text, its name, or a word.

    HTTP 500 to 599 and the gRPC codes that mean the same are failures; 408, 504, 524 and
    DEADLINE_EXCEEDED are time-outs; other known codes, such as 404, are answers.
    """
    if status.isdecimal() and len(status) <= 3:
        code = int(status)
        if code < len(RPC_CODES):
            return outcome_of_status(RPC_CODES[code])
        if code in TIMEOUT_CODES:
            return Outcome.TIMEOUT
        if 500 <= code <= 599:
            return Outcome.FAILURE
        return Outcome.ANSWER if 100 <= code <= 499 else Outcome.UNKNOWN
    word = status.strip().upper()
    if TIMEOUT_WORDS.search(word):
        return Outcome.TIMEOUT
    if word in RPC_FAILURES or word in FAILURE_WORDS:
        return Outcome.FAILURE
    return Outcome.ANSWER if word in RPC_CODES or word in ANSWER_WORDS else Outcome.UNKNOWN


def outcome_of_error(text: str) -> Outcome:
    """Return the outcome that the text in a column of errors means; the empty text is an answer."""
    if text.strip().upper() in NO_ERROR:
        return Outcome.ANSWER
    return Outcome.TIMEOUT if TIMEOUT_WORDS.search(text) else Outcome.FAILURE
