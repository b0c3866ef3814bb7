"""Replaces the secrets of a plugin in a text."""

from __future__ import annotations

from pydantic import BaseModel

from driftline.types.scrubbing import Scrubber


def redact_secrets(text: str, plugin: BaseModel) -> str:
    """Return `text` with each secret of `plugin` replaced by its reference, such as `${env:X}`.

    Parts and encoded forms of a secret are replaced as well, see `Scrubber`.
    """
    return Scrubber(plugin).scrub(text)
