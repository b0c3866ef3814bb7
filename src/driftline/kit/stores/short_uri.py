"""An address short enough for a sentence: the reason behind it must stay in view."""

from __future__ import annotations

LIMIT = 80
"""Characters of an address in a sentence."""


def shorten_uri(uri: str) -> str:
    """Return `uri`, with its middle left out where it is longer than `LIMIT` characters.

    The start shows the bucket, the end shows the file.
    """
    if len(uri) <= LIMIT:
        return uri
    start = LIMIT // 3
    return f"{uri[:start]}…{uri[start + 1 - LIMIT :]}"
