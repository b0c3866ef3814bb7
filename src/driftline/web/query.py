"""Reads the query of an address: any text gives a page."""

from __future__ import annotations

from starlette.requests import Request


def read_number(request: Request, name: str, default: int, *, least: int = 1, most: int) -> int:
    """Read a whole number between `least` and `most`; `default` where there is none."""
    text = request.query_params.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return default
    return min(max(int(text), least), most)
