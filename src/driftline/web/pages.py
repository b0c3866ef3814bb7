"""Renders pages as HTML, from templates in which all data is escaped.

Pages are complete without scripts and load nothing from other sites. The style is part of the page,
and the content security policy names its hash; scripts are files of the package.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from driftline.types.phrasing import clean, number, utc
from driftline.types.times import from_micros
from driftline.web.static_files import load_scripts

HTMX_SETTINGS = {
    "allowEval": False,
    "allowScriptTags": False,
    "includeIndicatorStyles": False,
    "selfRequestsOnly": True,
    # What a reader saw stays out of the storage of the browser.
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
    "responseHandling": [
        {"code": "304", "swap": False},
        {"code": "[23]..", "swap": True},
        {"code": "[45]..", "swap": False},
    ],
}
PLAIN_PAGES = {"incident", "form", "message"}
"""Pages without scripts: those that signed links open, and where people act."""
STANDBY = "This agent stands by: another one leads. Ask that one, or try again in a minute."


def render_page(name: str, status: int = 200, **names: Any) -> Response:
    """Render the template `name`."""
    environment, policy = _load_environment()
    has_scripts = name not in PLAIN_PAGES
    if has_scripts:
        policy += "; script-src 'self'; connect-src 'self'"
    text = environment.get_template(f"{name}.html").render(has_scripts=has_scripts, **names)
    # JSON may bring lone surrogates, which can't be encoded.
    return HTMLResponse(
        text.encode("utf-8", "replace"), status, headers={"Content-Security-Policy": policy}
    )


def render_message(
    title: str, text: str, status: int = 200, *, command: str = "", back: str = ""
) -> Response:
    """Render a page with one message; `back` is the address of the incident."""
    return render_page("message", status, title=title, text=text, command=command, back=back)


def render_standby() -> Response:
    """Render the page of an agent that does not lead, and so has nothing to show."""
    return render_message("Not now", STANDBY, 503)


@cache
def _load_environment() -> tuple[Environment, str]:
    style = files("driftline.web").joinpath("templates", "style.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("driftline.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "utc": _utc,
        "clean": clean,
        "micros": _utc_of_micros,
        "number": number,
        "path": lambda name: quote(name, safe=""),
    }
    environment.globals["style"] = Markup(style)
    environment.globals["scripts"] = list(load_scripts())
    environment.globals["htmx_settings"] = json.dumps(HTMX_SETTINGS)
    style_hash = b64encode(sha256(style.encode()).digest()).decode()
    return environment, (
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{style_hash}'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


def _utc(at: datetime | str) -> str:
    return utc(datetime.fromisoformat(at) if isinstance(at, str) else at)


def _utc_of_micros(micros: int) -> str:
    return utc(from_micros(micros))
