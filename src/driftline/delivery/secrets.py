"""Takes a plugin's secrets out of a text before anyone sees it.

Refuses to guess what a secret is: the plugin's settings of type Secret are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from driftline.types.secret import Secret


def scrub(text: str, plugin: BaseModel) -> str:
    """`text` with each secret of `plugin` replaced by where it comes from."""
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
