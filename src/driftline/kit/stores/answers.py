"""Checks that an answer came from the store, before its content is believed.

A proxy, a login page or another server may answer HTTP 200 with its own page. Does not read the
content of objects, and knows no store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from driftline.kit.stores.faults import describe_redirect
from driftline.types.errors import SourceError

_REQUESTED = re.compile(r"bytes=(\d+)-(\d+)")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class BadAnswer(SourceError):
    """An answer that is not the store's, or a redirect; its text lacks the address."""


def foreign_answer(status: int, headers: Mapping[str, str]) -> BadAnswer:
    """Return the error for an answer that another server gave in place of the store."""
    kind = (_header(headers, "Content-Type") or "no content type").partition(";")[0].strip()
    return BadAnswer(
        f"a proxy or another server answered in place of the store (HTTP {status}, {kind}): "
        "check the address and the proxy settings"
    )


def is_page(headers: Mapping[str, str], body: bytes | None = None) -> bool:
    """Whether an answer is a web page, which no object store sends.

    `body` is its start, where it is known: some stores call short texts HTML.
    """
    kind = (_header(headers, "Content-Type") or "").partition(";")[0].strip().lower()
    if kind not in ("text/html", "application/xhtml+xml"):
        return False
    return body is None or body.lstrip()[:1] == b"<"


def check_no_redirect(status: int, headers: Mapping[str, str]) -> None:
    """Raise BadAnswer where an answer is a redirect: no client follows one."""
    if 300 <= status < 400 and status != 304:
        raise BadAnswer(describe_redirect(status, urlsplit(_header(headers, "Location")).netloc))


def check_range(status: int, headers: Mapping[str, str], start: int, end: int) -> None:
    """Raise BadAnswer unless an answer holds the bytes from `start` on, and none from `end` on.

    It may hold fewer bytes than requested.
    """
    match = _RANGE.fullmatch(_header(headers, "Content-Range").strip())
    if status != 206:
        raise foreign_answer(status, headers)
    if match is None or int(match[1]) != start or not start <= int(match[2]) < end:
        sent = _header(headers, "Content-Range") or "no range"
        raise BadAnswer(
            f"the answer holds another part of the object ({sent[:60]}, not bytes "
            f"{start}-{end - 1}): check the proxy between driftline and the store"
        )


def _header(headers: Mapping[str, str], name: str) -> str:
    """Return a header, whatever the case of its name; empty when absent."""
    lower_name = name.lower()
    return next((value for key, value in headers.items() if key.lower() == lower_name), "")


def watch_answers(
    session: Any, check: Callable[[int, Mapping[str, str], bytes | None, str], None]
) -> None:
    """Check each answer of a `requests` session before the SDK sees it, and follow no redirect.

    An answer with content must hold the requested range. `check(status, headers, body, url)` sees
    the other successful answers, with `body` None for a request without one, and raises BadAnswer.
    """

    def check_answer(answer: Any, *_args: object, **_settings: object) -> None:
        status, headers, request = answer.status_code, answer.headers, answer.request
        check_no_redirect(status, headers)
        if status >= 300:
            return
        requested = _REQUESTED.fullmatch(
            request.headers.get("x-ms-range") or request.headers.get("Range") or ""
        )
        if requested is not None:
            check_range(status, headers, int(requested[1]), int(requested[2]) + 1)
        else:
            check(status, headers, None if request.method == "HEAD" else answer.content, answer.url)

    session.hooks["response"].append(check_answer)
