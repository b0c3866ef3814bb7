"""Pages as HTML, from templates in which everything is escaped.

Refuses scripts, and whatever would come from elsewhere: the one style is part of the page, and the
policy names its hash.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from driftline.types.phrasing import clean, utc


def page(name: str, status: int = 200, **names: Any) -> Response:
    """The page from the template `name`."""
    made, policy = _made()
    text = made.get_template(f"{name}.html").render(**names)
    # Half characters, which JSON may bring, have no bytes.
    return HTMLResponse(
        text.encode("utf-8", "replace"), status, headers={"Content-Security-Policy": policy}
    )


def said(
    title: str, text: str, status: int = 200, *, command: str = "", back: str = ""
) -> Response:
    """A page that says one thing; `back` is the address of the incident."""
    return page("said", status, title=title, text=text, command=command, back=back)


@cache
def _made() -> tuple[Environment, str]:
    style = files("driftline.web").joinpath("templates", "style.css").read_text(encoding="utf-8")
    made = Environment(
        loader=PackageLoader("driftline.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"utc": _utc, "clean": clean}
    made.globals["style"] = Markup(style)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    return made, (
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{allowed}'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


def _utc(at: datetime | str) -> str:
    return utc(datetime.fromisoformat(at) if isinstance(at, str) else at)
