"""The type of settings that must never be shown.

A secret is never written in a file: `${env:NAME}` or `${file:/path}` names it, and the composition
root resolves that.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")

LARGEST_SECRET = 64_000
"""Bytes of a file that holds a secret."""


class Resolved(str):
    """The value of a reference, with the reference."""

    reference: str

    def __new__(cls, value: str, reference: str) -> Resolved:
        """Make a text that keeps its reference."""
        text = super().__new__(cls, value)
        text.reference = reference
        return text


class Secret:
    """A secret setting. It shows its reference, never its value."""

    __slots__ = ("_stamps", "_value", "reference")

    def __init__(self, reference: str, value: str | None = None) -> None:
        self.reference = reference
        """The reference, such as `${env:SLACK_WEBHOOK_URL}`."""
        self._value = value
        self._stamps = _find_stamps(reference)

    def reveal(self) -> str:
        """Return the secret; a file that has changed is read again.

        The last value stays while the file can't be read. Raises RuntimeError if the configuration
        was only validated.
        """
        if self._value is None:
            raise RuntimeError(f"{self.reference} has not been resolved")
        stamps = _find_stamps(self.reference)
        if stamps != self._stamps:
            try:
                value = REFERENCE.sub(lambda match: read_secret(*match.groups()), self.reference)
            except (KeyError, OSError, UnicodeDecodeError):
                return self._value
            if value:  # a file that is being written may be empty
                self._value, self._stamps = value, stamps
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.reference})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Only the reference is pickled: another process resolves it in its own environment."""
        return _resolve_here, (self.reference,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __copy__(self) -> Secret:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.reference, self._value) == (
            other.reference,
            other._value,
        )

    def __hash__(self) -> int:
        return hash(self.reference)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda secret: secret.reference
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": r"^\$\{(env|file):[^}]+\}$",
            "description": "A secret, by reference.",
        }

    @classmethod
    def _validate(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if isinstance(value, Resolved):
            return cls(value.reference, str(value))
        if isinstance(value, str) and REFERENCE.fullmatch(value):
            return cls(value)
        raise ValueError(
            "a secret must not be written here; name it as ${env:NAME} or ${file:/path}"
        )


def _find_stamps(reference: str) -> tuple[tuple[int, int, int], ...]:
    """Return what tells the files of a reference from later ones; nothing for other references."""
    stamps = []
    for kind, name in REFERENCE.findall(reference):
        if kind == "file":
            with suppress(OSError):
                facts = os.stat(name)
                stamps.append((facts.st_ino, facts.st_mtime_ns, facts.st_size))
    return tuple(stamps)


def read_secret(kind: str, name: str) -> str:
    """Return the value of `${env:NAME}` or `${file:PATH}`.

    Raises KeyError for a variable that is not set, and OSError for a file that can't be read, that
    is no regular file or has more than `LARGEST_SECRET` bytes.
    """
    if kind == "env":
        return os.environ[name]
    # A pipe that nobody writes to must not stop the agent.
    with open(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        data = file.read(LARGEST_SECRET + 1)
    if len(data) > LARGEST_SECRET:
        raise OSError(errno.EFBIG, f"it has more than {LARGEST_SECRET:,} bytes")
    return data.decode("utf-8").rstrip("\n")


def _resolve_here(reference: str) -> Secret:
    """Return the secret with the value that the reference has in this process, if it has one."""
    match = REFERENCE.fullmatch(reference)
    try:
        return Secret(reference, None if match is None else read_secret(*match.groups()))
    except (KeyError, OSError, UnicodeDecodeError):
        return Secret(reference)
