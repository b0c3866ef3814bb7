"""Reads the bodies of requests, up to a size."""

from __future__ import annotations

from starlette.requests import Request

LARGEST = 65_536
"""Bytes of a body that are read where a route sets no other limit."""


class BodyTooLarge(ValueError):
    """A body has more bytes than are read."""


async def read_body(request: Request, largest: int = LARGEST) -> bytes:
    """Read the body of a request. Raises BodyTooLarge for more than `largest` bytes."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            raise BodyTooLarge("the body is too large")
    return bytes(body)
