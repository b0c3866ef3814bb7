"""Replaces the secrets of a plugin in a text.

Secrets are the settings of type Secret; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from driftline.types.secret import Secret


def redact_secrets(text: str, plugin: BaseModel) -> str:
    """Return `text` with each secret of `plugin` replaced by its reference, such as `${env:X}`."""
    for secret in _secrets(plugin):
        try:
            value = secret.reveal()
        except RuntimeError:
            continue
        if len(value) >= 3:
            text = text.replace(value, secret.reference)
    return text


def _secrets(value: object) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _secrets(part)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from _secrets(part)
