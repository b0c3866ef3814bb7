"""Reads the query of an address: any text gives a page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

REFRESH = 60
"""Seconds after which a page is loaded again where people want that."""


def read_number(request: Request, name: str, default: int, *, least: int = 1, most: int) -> int:
    """Read a whole number between `least` and `most`; `default` where there is none."""
    text = request.query_params.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return default
    return min(max(int(text), least), most)


def refresh_values(request: Request) -> dict[str, Any]:
    """The seconds after which a page is loaded again, and the address that switches this.

    `refresh` is 0 for a page that stays as it is. It is people who switch it on: a page that
    changes by itself is hard to read with a screen reader.
    """
    query = dict(request.query_params)
    seconds = read_number(request, "refresh", 0, least=10, most=3600)
    if seconds:
        query.pop("refresh")
    else:
        query["refresh"] = str(REFRESH)
    return {"refresh": seconds, "refresh_href": f"?{urlencode(query)}"}
